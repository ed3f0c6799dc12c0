package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
)

// gapRest is the least time between two pulls that gaps have caused: a burst
// of gaps after a lost push is repaired by one pull. It doubles, up to
// PullInterval, while pulls do not help: a peer whose disk is full pushes what
// it cannot hand out yet.
const (
	gapRest  = 50 * time.Millisecond
	gapQuiet = time.Second // without a gap for so long, the last pull has helped
)

// pullLoop asks one random peer after the other for what this node lacks, and
// a peer whose page did not fit at once.
func (n *Node) pullLoop(ctx context.Context) error {
	ticker := time.NewTicker(n.options.PullInterval)
	defer ticker.Stop()
	pause, last := gapRest, int64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			n.pullRandom(ctx)
		case <-n.gaps.wake:
			n.pullGaps(ctx)
			now := n.now().Mono
			if pause = min(2*pause, n.options.PullInterval); now-last > gapQuiet.Nanoseconds() {
				pause = gapRest
			}
			last = now
			rest(ctx, pause)
		}
	}
}

func (n *Node) pullGaps(ctx context.Context) {
	for _, run := range n.gaps.take() {
		if m, ok := n.peers.find(run); ok {
			n.logPull(m, n.pull(ctx, m))
		}
	}
}

func (n *Node) pullRandom(ctx context.Context) {
	if m, ok := n.peers.random(); ok {
		n.logPull(m, n.pull(ctx, m))
	}
	if m, ok := n.peers.randomSilent(); ok {
		_ = n.pull(ctx, m) // it is known to be silent
	}
}

func (n *Node) logPull(m member, err error) {
	if errors.Is(err, api.ErrGone) {
		n.castOut(err)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		n.metrics.pullErrors.Inc()
		n.log.Debug("a pull failed", "peer", m.name, "error", err)
	}
}

// pull makes one round with a peer: it gets all pages this node lacks, of all
// origins, and tells the peer what this node has.
func (n *Node) pull(ctx context.Context, m member) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(pullSilence, cancel)
	defer watchdog.Stop()

	n.metrics.pulls.Inc()
	body, err := n.client.pull(ctx, m.peer, n.replica.PullRequest(n.now()).Append(nil))
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	in := bufio.NewReaderSize(body, 64<<10)
	for {
		watchdog.Reset(pullSilence)
		message, err := antientropy.ReadFrame(in, nil)
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the answer of %s has no end: %w", m.name, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		n.metrics.pullBytes.Add(float64(len(message)))
		if antientropy.IsAck(message) {
			return n.endPull(message)
		}
		if err := n.takePulled(message); err != nil {
			return err
		}
	}
}

func (n *Node) takePulled(message []byte) error {
	page, err := antientropy.DecodePage(message)
	if err != nil {
		return err
	}
	err = n.replica.MergePulled(n.now(), page)
	var gap *antientropy.GapError
	if errors.As(err, &gap) {
		return nil // of this origin; the others may fit
	}
	return err
}

func (n *Node) endPull(message []byte) error {
	ack, err := antientropy.DecodeAck(message)
	if err != nil {
		return err
	}
	n.replica.NoteAck(n.now(), ack)
	return nil
}

// gaps collects the peers whose pages did not fit.
type gaps struct {
	wake  chan struct{} // somebody is waiting in from
	storm chan struct{} // there were so many that something may be wrong
	limit int           // gaps within a minute that make a storm

	mu    sync.Mutex
	from  map[crdt.Origin]bool
	since int64 // mono ns, of count
	count int
}

func newGaps(limit int) *gaps {
	return &gaps{
		wake: make(chan struct{}, 1), storm: make(chan struct{}, 1), limit: limit,
		from: make(map[crdt.Origin]bool),
	}
}

func (g *gaps) add(run crdt.Origin, mono int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.from[run] = true
	signal(g.wake)
	if mono-g.since > time.Minute.Nanoseconds() {
		g.since, g.count = mono, 0
	}
	if g.count++; g.count == g.limit {
		signal(g.storm)
	}
}

// signal wakes whoever listens on ch, once for any number of signals.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (g *gaps) take() (runs []crdt.Origin) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for run := range g.from {
		runs = append(runs, run)
	}
	clear(g.from)
	return runs
}

// rest waits, unless ctx ends before.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
