package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// dnsEvery is how often a name is asked for when peers are known.
const dnsEvery = 30 * time.Second

// dns is every address of a name, as a headless service of Kubernetes or a
// round-robin record has them.
type dns struct {
	item     string
	name     string
	port     string
	service  string // of an SRV name: _service._proto.name
	proto    string
	resolver Resolver
}

func newDNS(item string, env Environment) (Source, error) {
	name := strings.TrimPrefix(item, kindDNS)
	d := &dns{item: item, resolver: env.Resolver}
	if strings.HasPrefix(name, "_") {
		labels := strings.SplitN(name, ".", 3)
		if len(labels) < 3 || !strings.HasPrefix(labels[1], "_") || strings.Contains(labels[2], ":") {
			return nil, fmt.Errorf("join %q: want dns:_service._tcp.name; SRV records bring their ports", item)
		}
		d.service, d.proto, d.name = labels[0][1:], labels[1][1:], labels[2]
		return d, nil
	}
	a, err := address(name, DefaultPort)
	if err != nil {
		return nil, fmt.Errorf("join dns: %w", err)
	}
	d.name, d.port, _ = net.SplitHostPort(a)
	return d, nil
}

func (d *dns) Every() time.Duration { return dnsEvery }
func (d *dns) String() string       { return d.item }

func (d *dns) Addresses(ctx context.Context) ([]string, error) {
	list, err := d.lookup(ctx)
	var gone *net.DNSError
	if errors.As(err, &gone) && gone.IsNotFound {
		return nil, nil // a headless service without a ready pod has no records
	}
	return list[:min(len(list), maxAddresses)], err
}

func (d *dns) lookup(ctx context.Context) ([]string, error) {
	var list []string
	if d.service != "" {
		_, records, err := d.resolver.LookupSRV(ctx, d.service, d.proto, d.name)
		for _, r := range records {
			list = append(list, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
		}
		return list, err
	}
	ips, err := d.resolver.LookupNetIP(ctx, "ip", d.name)
	for _, ip := range ips {
		list = append(list, net.JoinHostPort(ip.Unmap().String(), d.port))
	}
	return list, err
}
