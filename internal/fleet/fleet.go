package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/netlab"
	"github.com/openclaw/clawd/internal/proc"
	"github.com/openclaw/clawd/internal/witness"
)

// Fleet is a cluster of processes and what its clients were answered.
type Fleet struct {
	Book witness.Book

	bin   string
	dir   string
	flags []string
	nodes []*Node
	began time.Time
}

// New returns a fleet without nodes. Data and logs go below dir; every node gets
// the flags.
func New(bin, dir string, flags ...string) *Fleet {
	return &Fleet{bin: bin, dir: dir, flags: flags, began: time.Now()}
}

// Since is the time on the clients' clock, which the Book uses.
func (f *Fleet) Since() time.Duration { return time.Since(f.began) }

// Nodes returns the nodes in the order they were added.
func (f *Fleet) Nodes() []*Node { return slices.Clone(f.nodes) }

// place is where a node's process and its clients are.
type place interface {
	Start(proc.Command) (*proc.Process, error)
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
}

// here is the machine itself.
type here struct{}

func (here) Start(c proc.Command) (*proc.Process, error) { return proc.Start(c) }

func (here) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// Add makes a node on loopback without starting it.
func (f *Fleet) Add(name string, flags ...string) (*Node, error) {
	var addr [3]string
	for i := range addr {
		var err error
		if addr[i], err = proc.FreeAddr(); err != nil {
			return nil, err
		}
	}
	return f.add(here{}, name, addr, flags)
}

// AddOn makes a node on a host of a network without starting it. Its public
// listener is on the host's loopback, the others on the network.
func (f *Fleet) AddOn(h *netlab.Host, flags ...string) (*Node, error) {
	addr := [3]string{"127.0.0.1:8080", netip.AddrPortFrom(h.Addr, 8081).String(), netip.AddrPortFrom(h.Addr, 7946).String()}
	return f.add(h, h.Name, addr, append(flags, "--insecure"))
}

func (f *Fleet) add(at place, name string, addr [3]string, flags []string) (*Node, error) {
	if slices.ContainsFunc(f.nodes, func(n *Node) bool { return n.Name == name }) {
		return nil, fmt.Errorf("fleet: there is a node %q already", name)
	}
	hc := &http.Client{Transport: &http.Transport{
		DialContext: at.Dial, MaxIdleConns: 256, MaxIdleConnsPerHost: 256, IdleConnTimeout: 10 * time.Second,
	}}
	// No repetitions: one request is one line of the book.
	c, err := client.New("http://"+addr[0], client.Options{HTTPClient: hc, MaxRetries: -1, Timeout: requestTimeout})
	if err != nil {
		return nil, err
	}
	n := &Node{
		Name: name, HTTP: addr[0], Peer: addr[1], Gossip: addr[2], Client: c, Dir: filepath.Join(f.dir, name),
		fleet: f, at: at, http: hc, flags: append(slices.Clone(f.flags), flags...),
	}
	f.nodes = append(f.nodes, n)
	return n, nil
}

// requestTimeout is when a client gives up on an answer.
const requestTimeout = 3 * time.Second

// StartAll starts the nodes one after the other.
func (f *Fleet) StartAll(ctx context.Context) error {
	for _, n := range f.nodes {
		if err := n.Start(ctx); err != nil {
			return err
		}
	}
	return f.Assembled(ctx, f.nodes...)
}

// Close kills what still runs.
func (f *Fleet) Close() error {
	var errs []error
	for _, n := range f.nodes {
		errs = append(errs, n.Kill())
	}
	return errors.Join(errs...)
}
