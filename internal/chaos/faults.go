package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/netlab"
	"github.com/openclaw/clawd/internal/witness"
)

// Fault is one way to hurt a cluster.
type Fault struct {
	Name  string
	About string // what is done, for the page

	times   float64  // the tight agent's rate is offered that many times; 0 means twice
	size    int      // nodes; 0 means 3
	onWire  bool     // the network is a wire, not a switch
	flags   []string // of all nodes
	prepare func(context.Context, *trial) error
	do      func(context.Context, *trial) error // makes the fault and ends it
}

func (f Fault) nodes() int {
	if f.size == 0 {
		return 3
	}
	return f.size
}

func (f Fault) overload() float64 {
	if f.times == 0 {
		return usualOverload
	}
	return f.times
}

// Faults returns all of them, in the order of the table.
func Faults() []Fault {
	return []Fault{
		{Name: "none", About: "load only", do: lasting},
		{Name: "slow links", About: "100 ms ± 50 ms each way", onWire: true, do: onWire(netlab.Link{Delay: 100 * time.Millisecond, Jitter: 50 * time.Millisecond})},
		{
			Name: "bad links", About: "30 ms ± 20 ms; 10 % lost, 5 % duplicated, 5 % reordered, 2 % corrupted", onWire: true,
			do: onWire(netlab.Link{Delay: 30 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.1, Duplicate: 0.05, Reorder: 0.05, Corrupt: 0.02}),
		},
		{
			Name: "forged packets", About: "2 % of the packets with a flipped bit and a right checksum", onWire: true,
			do: onWire(netlab.Link{Delay: 5 * time.Millisecond, Forge: 0.02}),
		},
		{Name: "partition", About: "one of three cut off", do: partition([]string{"a", "b"}, []string{"c"})},
		{Name: "partition, under the limit", About: "the same, with 0.9 times the rate", times: 0.9, do: partition([]string{"a", "b"}, []string{"c"})},
		{Name: "partition, flooded", About: "the same, with ten times the rate", times: 10, do: partition([]string{"a", "b"}, []string{"c"})},
		{Name: "partition of five", About: "two of five cut off", size: 5, do: partition([]string{"a", "b", "c"}, []string{"d", "e"})},
		{Name: "one-way partition", About: "c hears the others and is not heard", do: oneWay},
		{Name: "partial partition", About: "a and b do not hear each other, c hears and is heard by both", do: partial},
		{Name: "kill -9", About: "one node after the other, at random instants, and started again", do: killing},
		{Name: "SIGSTOP", About: "one node stopped for seconds, and gone on with", do: stopping},
		{Name: "rolling restart", About: "each node drained and started again", do: rolling},
		{Name: "restart loop", About: "one node killed and stopped in turns", do: restarting},
		{Name: "disk full", About: "one node's disk filled to the last byte, then freed", prepare: onSmallDisk, do: filling},
		{Name: "copied data directory", About: "the data of a node copied to a second one, both run", size: 4, prepare: withoutLast, do: copying},
		{Name: "byte flips", About: "bits flipped in a node's tables while it is down; rebuilt from its peers", flags: []string{"--auto-rebuild"}, do: flipping},
	}
}

func lasting(ctx context.Context, t *trial) error { return pause(ctx, t.scale.Fault) }

func onWire(l netlab.Link) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		// A push, and a second one for what the first one lacked; a lost packet is sent again after 200 ms at least.
		t.reach += 4 * (l.Delay + l.Jitter)
		if l.Loss+l.Corrupt+l.Forge > 0 {
			t.reach += 2 * time.Second // what no push repairs, a pull does
		}
		t.wire.SetAll(l)
		err := pause(ctx, t.scale.Fault)
		t.wire.SetAll(netlab.Link{})
		return err
	}
}

func partition(groups ...[]string) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		t.apart, t.unheld = groups[1], max(0, t.scale.Fault-released)
		if err := t.link.Partition(groups...); err != nil {
			return err
		}
		return errors.Join(pause(ctx, t.scale.Fault), t.link.Heal())
	}
}

func oneWay(ctx context.Context, t *trial) error {
	t.apart, t.unheld = []string{"c"}, max(0, t.scale.Fault-released)
	if err := errors.Join(t.link.Cut("c", "a"), t.link.Cut("c", "b")); err != nil {
		return err
	}
	return errors.Join(pause(ctx, t.scale.Fault), t.link.Heal())
}

// partial cuts two nodes off each other. What they have for each other goes through
// the third one: each asks one peer by chance every 2 s for all that it has.
func partial(ctx context.Context, t *trial) error {
	t.reach += relayed
	if err := errors.Join(t.link.Cut("a", "b"), t.link.Cut("b", "a")); err != nil {
		return err
	}
	return errors.Join(pause(ctx, t.scale.Fault), t.link.Heal())
}

// relayed is three pulls: two that happen to go to the node that is cut off, and
// one that does not.
const relayed = 3 * 2 * time.Second

func killing(ctx context.Context, t *trial) error {
	chance := rand.New(rand.NewPCG(1, 0))
	for i := range t.scale.Kills {
		n := t.nodes[i%len(t.nodes)]
		if err := t.underLoad(ctx, n); err != nil {
			return err
		}
		if err := pause(ctx, time.Duration(chance.Int64N(int64(150*time.Millisecond)))); err != nil {
			return err
		}
		if err := t.crash(n); err != nil {
			return err
		}
		if err := t.start(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// underLoad waits until a node has admitted something of every counted agent
// since now.
func (t *trial) underLoad(ctx context.Context, n *fleet.Node) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	from := t.fleet.Since()
	return fleet.Until(ctx, func(context.Context) error {
		for _, agent := range []string{asyncAgent, reserveAgent, syncAgent} {
			if witness.Sum(t.fleet.Book.Answers(witness.Of(agent), witness.AckedIn(n.Name, from, t.fleet.Since()))).Admitted == 0 {
				return fmt.Errorf("%s admits nothing of %s", n.Name, agent)
			}
		}
		return nil
	})
}

func (t *trial) start(ctx context.Context, n *fleet.Node) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return n.Start(ctx)
}

func stopping(ctx context.Context, t *trial) error {
	n := t.nodes[len(t.nodes)-1]
	if err := n.Pause(); err != nil {
		return err
	}
	return errors.Join(pause(ctx, t.scale.Fault), n.Resume())
}

func rolling(ctx context.Context, t *trial) error {
	for _, n := range t.nodes {
		if err := n.Stop(); err != nil {
			return err
		}
		if err := t.start(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func restarting(ctx context.Context, t *trial) error {
	n := t.nodes[1]
	for i := range t.scale.Restarts {
		end := t.crash
		if i%4 == 3 { // a drain takes longer than a crash
			end = func(n *fleet.Node) error { return n.Stop() }
		}
		if err := end(n); err != nil {
			return err
		}
		if err := t.start(ctx, n); err != nil {
			return err
		}
	}
	return nil
}
