package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// DefaultPort is the gossip port of an address that names none.
const DefaultPort = 7946

// maxAddresses bounds what one lookup may return, so that a wrong name or tag
// does not make a node call half a data centre.
const maxAddresses = 256

// Source is one thing to look up.
type Source interface {
	// Addresses returns what there is now, as host:port. An empty answer is no
	// error: there may be nobody yet. An error may come with what was understood.
	Addresses(ctx context.Context) ([]string, error)
	// Every is how often a look is worth while, even when peers are known; 0
	// means that the answer never changes.
	Every() time.Duration
	// String is the source as it was written.
	String() string
}

// Environment is what sources may use of the world. Zero fields mean the real
// one.
type Environment struct {
	HTTP     *http.Client
	Resolver Resolver
	Getenv   func(string) string
	Now      func() time.Time
}

// Resolver is the part of net.Resolver that DNS sources use.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// proxy is the environment's, but not to the metadata of this very machine.
func proxy(req *http.Request) (*url.URL, error) {
	if ip, err := netip.ParseAddr(req.URL.Hostname()); err == nil && ip.IsLinkLocalUnicast() {
		return nil, nil //nolint:nilnil // which means none
	}
	return http.ProxyFromEnvironment(req)
}

func (e Environment) withDefaults() Environment {
	if e.HTTP == nil {
		e.HTTP = &http.Client{Transport: &http.Transport{Proxy: proxy, DisableKeepAlives: true}}
	}
	if e.Resolver == nil {
		e.Resolver = net.DefaultResolver
	}
	if e.Getenv == nil {
		e.Getenv = os.Getenv
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	return e
}

// Parse reads a list as it is given to --join. Since such lists are split at
// commas, an item like region=eu-central-1 belongs to the aws: item before it.
// All complaints are collected.
func Parse(list []string, env Environment) ([]Source, error) {
	env = env.withDefaults()
	var sources []Source
	var errs []error
	for _, item := range regroup(list) {
		s, err := parse(item, env)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sources = append(sources, s)
	}
	return sources, errors.Join(errs...)
}

// regroup puts the arguments that a comma split off back to their item.
func regroup(list []string) []string {
	var items []string
	for _, item := range list {
		item = strings.TrimSpace(item)
		if n := len(items); n > 0 && strings.HasPrefix(items[n-1], kindAWS) && isArgument(item) {
			items[n-1] += "," + item
			continue
		}
		items = append(items, item)
	}
	return items
}

// isArgument tells key=value from an address, a path and another kind.
func isArgument(item string) bool {
	key, _, found := strings.Cut(item, "=")
	return found && !strings.ContainsAny(key, ":/.")
}

const (
	kindDNS  = "dns:"
	kindFile = "file:"
	kindAWS  = "aws:"
)

func parse(item string, env Environment) (Source, error) {
	switch {
	case item == "":
		return nil, errors.New("join address is empty")
	case strings.HasPrefix(item, kindDNS):
		return newDNS(item, env)
	case strings.HasPrefix(item, kindFile):
		return newFile(item)
	case strings.HasPrefix(item, kindAWS):
		return newAWS(item, env)
	}
	return newStatic(item)
}

// maxHost bounds a host name, as DNS does.
const maxHost = 253

// address completes host or host:port to host:port.
func address(text string, port int) (string, error) {
	host, p, err := split(text)
	if err != nil || host == "" || len(host) > maxHost || strings.ContainsAny(host, " \t/=,[]") {
		return "", fmt.Errorf("%q: want host or host:port", text)
	}
	if p == "" {
		return net.JoinHostPort(host, strconv.Itoa(port)), nil
	}
	if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q: the port is not a number between 1 and 65535", text)
	}
	return net.JoinHostPort(host, p), nil
}

// split is net.SplitHostPort with an optional port; a bare IPv6 address is one.
func split(text string) (host, port string, err error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.String(), "", nil
	}
	if strings.Contains(text, ":") {
		return net.SplitHostPort(text)
	}
	return text, "", nil
}
