// Package faultnet is the operating system's network with scissors: the nodes
// of one process talk over real loopback sockets, and the links between them
// can be cut and healed.
//
// Each node gets a Host, which fits node.Options.Network. A cut link refuses
// new connections, breaks the ones that exist and swallows packets, in both
// directions. It is for tests and the demo; it adds no delay and no loss.
//
// All methods are safe for concurrent use.
package faultnet

import (
	"context"
	"errors"
	"net"
	"sync"
)

// ErrCut is what a call over a cut link fails with.
var ErrCut = errors.New("faultnet: the link is cut")

// Net is a set of hosts and the links between them. The zero value is not
// usable; see New.
type Net struct {
	mu    sync.Mutex
	at    map[string]string // listening address → host
	cut   map[link]bool
	conns map[*conn]struct{}
}

// link is a pair of hosts in order of their names.
type link struct{ a, b string }

func linkOf(a, b string) link {
	if a > b {
		a, b = b, a
	}
	return link{a, b}
}

// New returns a network without cuts.
func New() *Net {
	return &Net{at: make(map[string]string), cut: make(map[link]bool), conns: make(map[*conn]struct{})}
}

// Host returns the named host's view of the network.
func (n *Net) Host(name string) *Host { return &Host{net: n, name: name} }

// Cut severs the link between two hosts.
func (n *Net) Cut(a, b string) {
	n.mu.Lock()
	var broken []*conn
	l := linkOf(a, b)
	n.cut[l] = true
	for c := range n.conns {
		if c.link == l {
			broken = append(broken, c)
		}
	}
	n.mu.Unlock()
	for _, c := range broken {
		_ = c.Close()
	}
}

// Isolate severs every link between one host and the others.
func (n *Net) Isolate(host string, others ...string) {
	for _, o := range others {
		n.Cut(host, o)
	}
}

// Heal mends all links.
func (n *Net) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

func (n *Net) listening(addr, host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at[addr] = host
}

// severed tells whether the host called from cannot reach addr.
func (n *Net) severed(from, addr string) (link, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := linkOf(from, n.at[addr])
	return l, n.cut[l]
}

// Host is the network as one node sees it.
type Host struct {
	net  *Net
	name string
}

// Listen opens a TCP listener.
func (h *Host) Listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err == nil {
		h.net.listening(l.Addr().String(), h.name)
	}
	return l, err
}

// ListenPacket opens a UDP socket.
func (h *Host) ListenPacket(ctx context.Context, addr string) (net.PacketConn, error) {
	var lc net.ListenConfig
	p, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	h.net.listening(p.LocalAddr().String(), h.name)
	return &packets{PacketConn: p, host: h}, nil
}

// Dial connects to a listener of another host.
func (h *Host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	l, cut := h.net.severed(h.name, addr)
	if cut {
		return nil, ErrCut
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	tracked := &conn{Conn: c, net: h.net, link: l}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.net.cut[l] { // since we looked
		return nil, errors.Join(ErrCut, c.Close())
	}
	h.net.conns[tracked] = struct{}{}
	return tracked, nil
}

// conn is the dialling end of a connection; closing it ends both.
type conn struct {
	net.Conn
	net  *Net
	link link
}

// Close ends the connection.
func (c *conn) Close() error {
	c.net.mu.Lock()
	delete(c.net.conns, c)
	c.net.mu.Unlock()
	return c.Conn.Close()
}

// packets drops what goes to and comes from the other side of a cut.
type packets struct {
	net.PacketConn
	host *Host
}

// WriteTo pretends to have sent a packet over a cut link.
func (p *packets) WriteTo(b []byte, to net.Addr) (int, error) {
	if _, cut := p.host.net.severed(p.host.name, to.String()); cut {
		return len(b), nil
	}
	return p.PacketConn.WriteTo(b, to)
}

// ReadFrom skips packets that were under way when the link was cut.
func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := p.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if _, cut := p.host.net.severed(p.host.name, from.String()); !cut {
			return n, from, nil
		}
	}
}
