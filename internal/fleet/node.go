package fleet

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/proc"
)

// Node is one clawd process after the other on the same data and addresses.
type Node struct {
	Name               string
	HTTP, Peer, Gossip string // addresses
	Dir                string // of its data and logs
	Client             *client.Client

	fleet  *Fleet
	at     place
	http   *http.Client
	flags  []string
	data   string // DataDir, if elsewhere
	binary string // of the next start, if not the fleet's

	mu      sync.Mutex
	process *proc.Process
	starts  int
	logs    []string
}

// DataDir is the node's --data-dir.
func (n *Node) DataDir() string {
	if n.data != "" {
		return n.data
	}
	return filepath.Join(n.Dir, "data")
}

// SetBinary makes the next starts run another program than the fleet's, as an
// upgrade does.
func (n *Node) SetBinary(path string) { n.binary = path }

// SetDataDir puts the data elsewhere, before the first start.
func (n *Node) SetDataDir(dir string) { n.data = dir }

// Start starts the process and waits until it is ready.
func (n *Node) Start(ctx context.Context) error {
	if err := n.Launch(); err != nil {
		return err
	}
	return n.WaitReady(ctx)
}

// Launch starts the process. It joins every other node that was ever started.
func (n *Node) Launch(flags ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := os.MkdirAll(n.Dir, 0o750); err != nil {
		return err
	}
	n.starts++
	log := filepath.Join(n.Dir, fmt.Sprintf("log.%d", n.starts))
	argv := []string{
		cmp.Or(n.binary, n.fleet.bin), "serve", "--name", n.Name, "--data-dir", n.DataDir(),
		"--http-addr", n.HTTP, "--peer-addr", n.Peer, "--gossip-addr", n.Gossip, "--log-format", "text",
	}
	argv = append(append(argv, n.flags...), flags...)
	for _, o := range n.fleet.nodes {
		if o != n && o.Started() {
			argv = append(argv, "--join", o.Gossip)
		}
	}
	p, err := n.at.Start(proc.Command{Argv: argv, Dir: n.Dir, Log: log, HTTP: n.http})
	if err != nil {
		return err
	}
	n.process, n.logs = p, append(n.logs, log)
	return nil
}

// Started tells whether the node ever ran.
func (n *Node) Started() bool { return n.Process() != nil }

// Process is the newest start; nil before the first.
func (n *Node) Process() *proc.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// WaitReady waits for /readyz.
func (n *Node) WaitReady(ctx context.Context) error {
	if err := n.Process().WaitReady(ctx, "http://"+n.HTTP); err != nil {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	return nil
}

// Kill ends the process as a crash would.
func (n *Node) Kill() error {
	if p := n.Process(); p != nil {
		return p.Kill()
	}
	return nil
}

// Stop drains the process by SIGTERM.
func (n *Node) Stop() error {
	if p := n.Process(); p != nil {
		return p.Stop()
	}
	return nil
}

// Pause stops the process where it is; Resume lets it go on.
func (n *Node) Pause() error { return n.Process().Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (n *Node) Resume() error { return n.Process().Signal(syscall.SIGCONT) }

// Ended waits for the process to end by itself and returns its exit code.
func (n *Node) Ended(ctx context.Context) (int, error) {
	p := n.Process()
	select {
	case <-p.Exited():
		return p.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s still runs: %w; it said:\n%s", n.Name, ctx.Err(), p.Log())
	}
}

// Log is what all starts have said.
func (n *Node) Log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all strings.Builder
	for i, path := range n.logs {
		said, err := os.ReadFile(path)
		if err != nil {
			said = []byte(err.Error())
		}
		fmt.Fprintf(&all, "--- start %d\n%s", i+1, said)
	}
	return all.String()
}

// Consumed is the agent's lifetime total as the node knows it.
func (n *Node) Consumed(ctx context.Context, agent string) (int64, error) {
	a, err := n.Client.Agents.Get(ctx, agent)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", n.Name, err)
	}
	return int64(a.Consumed) - int64(a.Refunded), nil
}

// pollEvery is the pause between two looks at a node.
const pollEvery = 25 * time.Millisecond

// Until polls a condition until it is nil or ctx ends. The error of the last look
// tells what was missing.
func Until(ctx context.Context, holds func(context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}
