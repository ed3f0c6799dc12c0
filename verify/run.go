package verify

import (
	"context"
	"sync"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/load"
	"github.com/openclaw/clawd/internal/witness"
)

// peer is a node that is asked.
type peer struct {
	url    string
	name   string
	id     string // node id
	client *client.Client
	info   client.ClusterInfo
	health client.HealthInfo
	down   error // why it does not answer any more; nil while it does
}

// run is one check of a cluster.
type run struct {
	o      Options
	peers  []*peer
	book   witness.Book
	began  time.Time
	report Report

	mu        sync.Mutex
	temporary []written
	seen      map[string]sight // of each shared agent
	store     storeTrial
}

// Run checks a cluster. The error is about the options alone; whatever the
// cluster does wrong is in the report. When ctx ends, the run stops early, removes
// what it has made, and says that it was interrupted.
func Run(ctx context.Context, o Options) (Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Report{}, err
	}
	r := &run{o: o, began: time.Now(), report: Report{
		Prefix: "clawd-verify-" + o.ID, PerSecond: o.PerSecond, DurationMS: o.Duration.Milliseconds(),
		Agents: []Agent{}, LeftBehind: []string{},
	}}
	for _, c := range o.Nodes {
		r.peers = append(r.peers, &peer{url: c.BaseURL(), name: c.BaseURL(), client: c})
	}
	if r.meet(ctx) && r.isOneCluster() {
		o.Begin(r.report)
		r.measure(ctx)
		r.cleanUp(context.WithoutCancel(ctx))
	}
	if ctx.Err() != nil {
		r.report.Interrupted = true
		r.report.add("finished", Fail, "interrupted after %v", shown(r.since()))
	}
	r.report.Passed = r.report.Failed() == 0
	return r.report, nil
}

func (r *run) since() time.Duration { return time.Since(r.began) }

// measure does everything between the first and the last temporary name.
func (r *run) measure(ctx context.Context) {
	if !r.putPolicies(ctx) {
		return
	}
	r.offer(ctx)
	if ctx.Err() != nil {
		return
	}
	r.whoIsDown(ctx)
	r.judgeAnswers()
	r.judgeAgents()
	r.converge(ctx)
	r.judgeStore()
	r.judgeClocks(ctx)
}

// offer plays the load; meanwhile it looks at the agents and tries the store.
func (r *run) offer(ctx context.Context) {
	whole := ctx
	ctx, stop := context.WithTimeout(ctx, r.o.Duration)
	defer stop()
	notes := load.Notes{Book: &r.book, Since: r.since}
	all := make([]load.Target, len(r.peers))
	for i, p := range r.peers {
		all[i] = load.Target{Name: p.name, Client: p.client}
	}
	var wg sync.WaitGroup
	for i, a := range r.agents() {
		r.wrote("agent", a.name, nil)
		l := load.Load{Targets: all, PerSecond: a.offered, Agents: []string{a.name}, Seed: r.o.Seed + uint64(i)}
		if a.single {
			l.Targets = all[len(all)-1:]
		}
		wg.Go(func() { load.Offer(ctx, l, notes) })
	}
	wg.Go(func() { r.look(ctx) })
	wg.Go(func() { r.tryStore(whole) })
	wg.Go(func() { r.tellProgress(ctx) })
	wg.Wait()
}

func (r *run) tellProgress(ctx context.Context) {
	begin := time.Now()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		r.o.Progress(min(1, float64(time.Since(begin))/float64(r.o.Duration)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// up are the nodes that answer.
func (r *run) up() (peers []*peer) {
	for _, p := range r.peers {
		if p.down == nil {
			peers = append(peers, p)
		}
	}
	return peers
}

// eachPeer calls do for all of the peers at once and returns their errors.
func eachPeer(peers []*peer, do func(*peer) error) []error {
	errs := make([]error, len(peers))
	var wg sync.WaitGroup
	for i, p := range peers {
		wg.Go(func() { errs[i] = do(p) })
	}
	wg.Wait()
	return errs
}

// pollEvery is the pause between two looks at something that is awaited.
const pollEvery = 50 * time.Millisecond

// until polls a condition until it holds, and returns how long that took. The
// error is that of the last look, which tells what is missing.
func until(ctx context.Context, within time.Duration, holds func(context.Context) error) (time.Duration, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		err := holds(ctx)
		if err == nil {
			return time.Since(begin), nil
		}
		if last == nil || ctx.Err() == nil { // the look that the time ran out on says nothing new
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return time.Since(begin), last
		}
	}
}
