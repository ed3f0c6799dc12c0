package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// ErrAddressInUse is wrapped by Open when a listener's port is taken.
var ErrAddressInUse = errors.New("the address is in use by another process")

// listen opens one listener and says what it was for when it cannot.
func listen(ctx context.Context, network Network, what, addr string) (net.Listener, error) {
	l, err := network.Listen(ctx, addr)
	if err != nil {
		return nil, listenError(what, addr, err)
	}
	return l, nil
}

func listenError(what, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s address %s: %w", what, addr, ErrAddressInUse)
	}
	return fmt.Errorf("%s address %s: %w", what, addr, err)
}

// advertised is what others are told to reach a listener by: the option as far
// as it goes, then the listener's own address.
func advertised(option string, bound net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return "", err
	}
	if option != "" {
		h, p, err := splitHostPort(option)
		if err != nil {
			return "", err
		}
		if p != "" {
			port = p
		}
		return net.JoinHostPort(h, port), nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsUnspecified() {
		return bound.String(), nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("no address to advertise for %s: %w", bound, err)
	}
	return net.JoinHostPort(reachable(addrs).String(), port), nil
}

// reachable picks the address of this machine that others most likely reach: a
// private one before a public one before loopback, IPv4 before IPv6.
func reachable(addrs []net.Addr) netip.Addr {
	best, score := netip.IPv6LinkLocalAllNodes(), -1
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr().Unmap()
		s := 0
		switch {
		case ip.IsPrivate():
			s = 4
		case ip.IsLoopback():
		case ip.IsGlobalUnicast():
			s = 2
		default:
			continue // link-local and the like need a zone
		}
		if ip.Is4() {
			s++
		}
		if s > score {
			best, score = ip, s
		}
	}
	return best
}
