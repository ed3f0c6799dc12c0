package netlab

import (
	"fmt"
	"net/netip"
)

// Host is one machine of a network.
type Host struct {
	*Namespace
	Name string
	Addr netip.Addr // under which the others reach it
}

// network hands out addresses. They are reachable only inside the namespaces.
type network struct{ hosts []*Host }

const addressBits = "/24"

func (n *network) next(name string) (*Host, error) {
	for _, h := range n.hosts {
		if h.Name == name {
			return nil, fmt.Errorf("netlab: there is a host %q already", name)
		}
	}
	if len(n.hosts) == 250 {
		return nil, fmt.Errorf("netlab: no address is left")
	}
	ns, err := NewNamespace()
	if err != nil {
		return nil, err
	}
	h := &Host{Namespace: ns, Name: name, Addr: netip.AddrFrom4([4]byte{10, 77, 0, byte(len(n.hosts) + 1)})}
	n.hosts = append(n.hosts, h)
	return h, nil
}

func (n *network) named(name string) (int, error) {
	for i, h := range n.hosts {
		if h.Name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("netlab: there is no host %q", name)
}
