package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/netlab"
	"github.com/openclaw/clawd/internal/witness"
)

// trial is one cluster that something happens to.
type trial struct {
	scale Scale
	fleet *fleet.Fleet
	nodes []*fleet.Node
	link  *netlab.Switch // nil on a wire
	wire  *netlab.Wire   // nil on a switch
	disk  *netlab.Disk   // of the last node, if it is a small one
	spare *fleet.Node    // not started with the rest

	mu sync.Mutex
	// slips are the stretches in which a crash may have taken `async` admissions.
	slips []func(witness.Answer) bool
	// crashes counts starts on data that were not left by a clean stop, each of
	// which may charge a `reserve` mark.
	crashes int
	// reach is the longest time news take between two nodes that are connected.
	reach time.Duration
	// apart are the nodes of the smaller side of a partition, and unheld is how long
	// the larger side had let go of their share.
	apart  []string
	unheld time.Duration
}

// patience bounds waits for what takes moments on an idle machine.
const patience = 60 * time.Second

// Run puts a cluster through one fault. Data and logs go below dir. The error
// tells that the trial itself did not work; what the cluster did wrong is in the
// result.
func Run(ctx context.Context, bin, dir string, f Fault, s Scale) (res Result, err error) {
	t := &trial{scale: s, fleet: fleet.New(bin, dir), reach: usualReach}
	defer func() {
		err = errors.Join(err, t.close())
		if err != nil {
			err = fmt.Errorf("%s: %w", f.Name, err)
		}
	}()
	if err := t.build(f); err != nil {
		return res, err
	}
	if err := t.begin(ctx, f); err != nil {
		return res, err
	}
	return t.measure(ctx, f)
}

// build makes the network and its hosts.
func (t *trial) build(f Fault) (err error) {
	var network interface {
		Host(string) (*netlab.Host, error)
	}
	if f.onWire {
		t.wire = netlab.NewWire(1)
		network = t.wire
	} else {
		if t.link, err = netlab.NewSwitch(); err != nil {
			return err
		}
		network = t.link
	}
	for _, name := range []string{"a", "b", "c", "d", "e"}[:f.nodes()] {
		h, err := network.Host(name)
		if err != nil {
			return err
		}
		n, err := t.fleet.AddOn(h, f.flags...)
		if err != nil {
			return err
		}
		t.nodes = append(t.nodes, n)
	}
	return nil
}

func (t *trial) close() error {
	err := t.fleet.Close()
	if t.disk != nil {
		err = errors.Join(err, t.disk.Close())
	}
	if t.link != nil {
		err = errors.Join(err, t.link.Close())
	}
	if t.wire != nil {
		err = errors.Join(err, t.wire.Close())
	}
	return err
}

// begin starts the cluster and gives it its policies.
func (t *trial) begin(ctx context.Context, f Fault) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	if f.prepare != nil {
		if err := f.prepare(ctx, t); err != nil {
			return err
		}
	}
	for _, n := range t.nodes {
		if err := n.Start(ctx); err != nil {
			return err
		}
	}
	if err := t.fleet.Assembled(ctx, t.nodes...); err != nil {
		return err
	}
	for _, p := range policies() {
		if _, err := t.nodes[0].Client.Policies.Put(ctx, p); err != nil {
			return err
		}
	}
	_, err := fleet.Converged(ctx, t.nodes...)
	return err
}

// measure runs the load around and through the fault.
func (t *trial) measure(ctx context.Context, f Fault) (Result, error) {
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var load sync.WaitGroup
	for _, l := range loads(t.nodes, f.overload(), 1) {
		load.Go(func() { t.fleet.Offer(loading, l) })
	}
	failed := func(err error) (Result, error) {
		stop()
		load.Wait()
		return Result{}, fmt.Errorf("%w; the nodes said:\n%s", err, t.logs())
	}

	if err := pause(ctx, t.scale.Warm); err != nil {
		return failed(err)
	}
	began := t.fleet.Since()
	if err := f.do(ctx, t); err != nil {
		return failed(err)
	}
	healed := t.fleet.Since()
	converge, err := t.caughtUp(ctx)
	if err != nil {
		return failed(err)
	}
	if err := pause(ctx, t.scale.After); err != nil {
		return failed(err)
	}
	stop()
	load.Wait()
	res, err := t.settle(ctx)
	if err != nil {
		return failed(err)
	}
	res.Converge = converge
	t.judge(&res, f, began, healed)
	if len(res.broken) > 0 {
		res.logs = t.logs()
	}
	return res, nil
}

// pause lets time pass.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// caughtUp waits until every node has what any of them had at this instant, and
// returns how long that took. The load goes on.
func (t *trial) caughtUp(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	had := map[string]uint64{}
	for _, n := range t.nodes {
		d, err := n.Digest(ctx)
		if err != nil {
			return 0, err
		}
		for run, seq := range d.Vector {
			had[run] = max(had[run], seq)
		}
	}
	err := fleet.Until(ctx, func(ctx context.Context) error {
		for _, n := range t.nodes {
			d, err := n.Digest(ctx)
			if err != nil {
				return err
			}
			for run, seq := range had {
				if d.Vector[run] < seq {
					return fmt.Errorf("%s has run %s up to %d of %d", n.Name, run, d.Vector[run], seq)
				}
			}
		}
		return nil
	})
	return time.Since(began), err
}

// settle waits for equal digests and reads the totals.
func (t *trial) settle(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := fleet.Converged(ctx, t.nodes...); err != nil {
		return Result{}, err
	}
	res := Result{counted: map[string]int64{}}
	for _, agent := range []string{tightAgent, asyncAgent, reserveAgent, syncAgent} {
		total, err := fleet.Totals(ctx, agent, t.nodes...)
		if err != nil {
			return Result{}, err
		}
		res.counted[agent] = total
	}
	return res, nil
}

// crash kills a node, and notes what may be lost by that.
func (t *trial) crash(n *fleet.Node) error {
	from := t.fleet.Since() - maySlip
	if err := n.Kill(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.crashes++
	t.slips = append(t.slips, witness.AckedIn(n.Name, from, t.fleet.Since()))
	return nil
}

// maySlip is how long before a crash an `async` admission may have been
// acknowledged that is forgotten: one flush interval, and the time for a commit
// on a busy machine.
const maySlip = 100*time.Millisecond + 200*time.Millisecond

func (t *trial) logs() (all string) {
	for _, n := range t.fleet.Nodes() {
		all += n.Name + ":\n" + n.Log()
	}
	return all
}
