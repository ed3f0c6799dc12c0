package netlab

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Switch is a network whose links can be cut.
type Switch struct {
	mu     sync.Mutex
	bridge *Namespace
	net    network
	cuts   map[direction]bool
	lossy  map[direction]int // percent lost
}

// direction is one way of a link, by host number.
type direction struct{ from, to int }

// NewSwitch makes a network without hosts.
func NewSwitch() (*Switch, error) {
	bridge, err := NewNamespace()
	if err != nil {
		return nil, err
	}
	s := &Switch{bridge: bridge, cuts: make(map[direction]bool), lossy: make(map[direction]int)}
	err = errors.Join(
		bridge.Run("ip", "link", "add", "bridge", "type", "bridge"),
		bridge.Run("ip", "link", "set", "bridge", "up"),
	)
	if err == nil {
		err = s.applyLocked()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("netlab: no switch can be made here: %w", err), bridge.Close())
	}
	return s, nil
}

// Host adds a machine.
func (s *Switch) Host(name string) (*Host, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := s.net.next(name)
	if err != nil {
		return nil, err
	}
	port := portOf(len(s.net.hosts) - 1)
	for _, step := range []struct {
		in   *Namespace
		argv string
	}{
		{h.Namespace, "ip link add eth0 type veth peer name " + port + " netns " + s.bridge.path()},
		{h.Namespace, "ip addr add " + h.Addr.String() + addressBits + " dev eth0"},
		{h.Namespace, "ip link set eth0 up"},
		{s.bridge, "ip link set " + port + " master bridge up"},
	} {
		if err := step.in.Run(strings.Fields(step.argv)...); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// portOf names the switch's end of a host's cable.
func portOf(host int) string { return fmt.Sprintf("port%d", host) }

// Cut drops everything that goes from one host to another, in this direction
// only.
func (s *Switch) Cut(from, to string) error {
	return s.change(func(d direction) { s.cuts[d] = true }, from, to)
}

// Partition cuts all links between the groups, both ways. Links within a group
// stay as they are.
func (s *Switch) Partition(groups ...[]string) error {
	var errs []error
	for i, group := range groups {
		for j, other := range groups {
			if i == j {
				continue
			}
			for _, from := range group {
				for _, to := range other {
					errs = append(errs, s.mark(func(d direction) { s.cuts[d] = true }, from, to))
				}
			}
		}
	}
	return errors.Join(errors.Join(errs...), s.apply())
}

// Lose drops a share of the packets from one host to another at random; 100
// percent is a cut.
func (s *Switch) Lose(from, to string, percent int) error {
	if percent >= 100 {
		return s.Cut(from, to)
	}
	return s.change(func(d direction) { s.lossy[d] = percent }, from, to)
}

// Heal mends all links.
func (s *Switch) Heal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.cuts)
	clear(s.lossy)
	return s.applyLocked()
}

func (s *Switch) change(how func(direction), from, to string) error {
	if err := s.mark(how, from, to); err != nil {
		return err
	}
	return s.apply()
}

func (s *Switch) mark(how func(direction), from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.net.named(from)
	if err != nil {
		return err
	}
	b, err := s.net.named(to)
	if err != nil {
		return err
	}
	how(direction{a, b})
	return nil
}

func (s *Switch) apply() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applyLocked()
}

// applyLocked replaces the whole rule set in one transaction, so that no packet
// sees half a partition.
func (s *Switch) applyLocked() error {
	var rules strings.Builder
	rules.WriteString("add table bridge links\ndelete table bridge links\ntable bridge links {\n" +
		"chain forward {\ntype filter hook forward priority 0; policy accept;\n")
	for d := range s.cuts {
		fmt.Fprintf(&rules, "iifname %q oifname %q drop\n", portOf(d.from), portOf(d.to))
	}
	for d, percent := range s.lossy {
		fmt.Fprintf(&rules, "iifname %q oifname %q numgen random mod 100 < %d drop\n", portOf(d.from), portOf(d.to), percent)
	}
	rules.WriteString("}\n}\n")
	return s.bridge.feed(rules.String(), "nft", "-f", "-")
}

// Close takes the network down. Processes that still run in it keep their own
// host alive, without its cable.
func (s *Switch) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.bridge.Close()}
	for _, h := range s.net.hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}
