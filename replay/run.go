package replay

import (
	"fmt"
	"math/rand/v2"
)

// limiter decides in virtual time. Instants start at start, since a bucket's must
// be positive.
type limiter interface {
	// admit decides on one request.
	admit(node int, agent int32, now int64) bool
	// tick runs at each multiple of Tick, before the requests that come then.
	tick(now int64, down *downstream)
}

// start is the instant of second 0.
const start = second

// Run plays a load.
func Run(l *Load, o Options) (Result, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return Result{}, err
	}
	if len(l.Seconds) == 0 || len(l.Agents) == 0 {
		return Result{}, fmt.Errorf("%w: %s is empty", ErrLoad, l.Name)
	}
	e := &engine{load: l, opts: &o, down: newDownstream(&o), account: newAccount(l, &o)}
	var breakIt func()
	e.limiter, breakIt = newLimiter(l, &o, e.down)
	e.play(breakIt)
	m, _ := model(&Options{Prior: o.Prior})
	return e.account.result(e.down, ScoreForecasts(l, m)), nil
}

func newLimiter(l *Load, o *Options, down *downstream) (limiter, func()) {
	m, breakIt := model(o)
	switch o.Policy {
	case Ideal:
		return &ideal{down: down, delay: o.MaxDelay.Seconds()}, breakIt
	case Static:
		return newFixed(tunedRates(l, o)), breakIt
	case Split:
		return newFixed(splitRates(l, o)), breakIt
	case Forecast:
		return newAlone(l, o, m), breakIt
	}
	return newCluster(l, o, m), breakIt
}

type engine struct {
	load    *Load
	opts    *Options
	down    *downstream
	limiter limiter
	account *account
}

func (e *engine) play(breakIt func()) {
	a := arrivals{chance: rand.New(rand.NewPCG(e.opts.Seed, 1))}
	places := newPlaces(e.load, e.opts)
	next := int64(start)
	for sec, demands := range e.load.Seconds {
		if sec == len(e.load.Seconds)/4 {
			breakIt()
		}
		if e.opts.Progress != nil && sec%60 == 0 {
			e.opts.Progress(float64(sec) / float64(len(e.load.Seconds)))
		}
		order := a.of(demands)
		n := int64(len(order))
		for j, agent := range order {
			now := start + int64(sec)*second + int64(j)*second/n
			next = e.ticks(next, now)
			ok := e.limiter.admit(places.of(agent), agent, now)
			if ok {
				e.down.serve(now - start)
			}
			e.account.count(agent, ok)
		}
		next = e.ticks(next, start+int64(sec+1)*second-1)
		rate, _ := e.down.rate(int64(sec) * second)
		e.account.endSecond(rate)
	}
}

// ticks runs those from next up to now.
func (e *engine) ticks(next, now int64) int64 {
	for ; next <= now; next += int64(Tick) {
		e.down.tick(next - start)
		e.limiter.tick(next, e.down)
	}
	return next
}

// places says which node a request meets.
type places struct {
	chance *rand.Rand
	nodes  int
	node   []int
}

func newPlaces(l *Load, o *Options) *places {
	p := &places{chance: rand.New(rand.NewPCG(o.Seed, 2)), nodes: o.Nodes}
	if o.Placement == Spread {
		return p
	}
	for range l.Agents {
		p.node = append(p.node, p.chance.IntN(o.Nodes))
	}
	return p
}

func (p *places) of(agent int32) int {
	if p.node != nil {
		return p.node[agent]
	}
	return p.chance.IntN(p.nodes)
}

// ideal knows the queue.
type ideal struct {
	down  *downstream
	delay float64
}

func (i *ideal) admit(_ int, _ int32, now int64) bool {
	i.down.advance(now - start)
	rate, _ := i.down.rate(now - start)
	return i.down.backlog <= rate*i.delay
}

func (*ideal) tick(int64, *downstream) {}
