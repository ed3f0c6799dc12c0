package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

// Config is what a seed decides before anything happens. Times are scaled far
// down from the product's, so that what takes days there happens here often.
type Config struct {
	Seed     uint64
	Machines int
	Agents   int

	Idle, Forget, Release, Tombstones time.Duration
	PageRows                          int
	HotCells                          int
	Default                           ratelimit.Policy

	Net    Net
	Clocks []Clock // by machine
}

// Net is how messages fare; chances are per mille.
type Net struct {
	Latency                 int64 // ms, at most, of an ordinary message
	Drop, Dup, Slow, Damage int
	SlowMS                  int64 // at most, of a slow message
}

// Clock is how a machine's clocks differ from true time.
type Clock struct {
	OffsetMS int64 // of the wall clock
	DriftPPM int64 // of both
}

// OpKind is what an operation does.
type OpKind uint8

// The operations.
const (
	OpConsume OpKind = iota
	OpRefund
	OpFlush
	OpIdle
	OpPull
	OpCollect
	OpGossip
	OpTick
	OpCrash
	OpStop
	OpBackup
	OpRestore
	OpLoseDisk
	OpSplit
	OpHeal
	OpForget
	opKinds
)

var opNames = [opKinds]string{
	OpConsume: "consume", OpRefund: "refund", OpFlush: "flush", OpIdle: "idle", OpPull: "pull", OpCollect: "collect",
	OpGossip: "gossip", OpTick: "tick", OpCrash: "crash", OpStop: "stop", OpBackup: "backup", OpRestore: "restore",
	OpLoseDisk: "lose-disk", OpSplit: "split", OpHeal: "heal", OpForget: "forget",
}

// MarshalText writes the kind as its name: plans are kept as regressions, and
// numbers would change their meaning with the next kind.
func (k OpKind) MarshalText() ([]byte, error) { return []byte(opNames[k]), nil }

// UnmarshalText is the reverse of MarshalText.
func (k *OpKind) UnmarshalText(b []byte) error {
	i := slices.Index(opNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("there is no operation %q", b)
	}
	*k = OpKind(i)
	return nil
}

// Op is one operation of a plan. What its numbers mean depends on its kind;
// all chance within it comes from R.
type Op struct {
	At   int64 // ms
	Kind OpKind
	M, P int // machine, and another one
	N    int64
	R    uint64
}

// Plan is a whole schedule.
type Plan struct {
	Config
	Ops []Op
}

// end is when the faults are over.
func (p *Plan) end() int64 {
	if len(p.Ops) == 0 {
		return 0
	}
	return p.Ops[len(p.Ops)-1].At + 10_000
}

// NewPlan draws the plan of a seed.
func NewPlan(seed uint64) *Plan {
	r := rand.New(rand.NewPCG(seed, 0x51a7e))
	p := &Plan{Config: newConfig(seed, r)}
	weights := newWeights(r, &p.Config)
	steps := 150 + r.IntN(250)
	var now int64
	pace := pick(r, 400, 1000, 2500) // ms between two operations, about
	for range steps {
		now += int64(pick(r, 0, r.IntN(pace), pace, 3*pace))
		p.Ops = append(p.Ops, Op{
			At: now, Kind: weights.draw(r), M: r.IntN(p.Machines), P: r.IntN(p.Machines),
			N: int64(r.Uint64() >> 1), R: r.Uint64(),
		})
	}
	return p
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func newConfig(seed uint64, r *rand.Rand) Config {
	c := Config{
		Seed:     seed,
		Machines: pick(r, 2, 3, 3, 4),
		Agents:   pick(r, 1, 2, 4),
		Idle:     pick(r, 24*time.Hour, 60*time.Second, 60*time.Second),
		PageRows: pick(r, 1, 2, 3, 4096),
		HotCells: pick(r, 1, 3, 1000),
	}
	c.Forget = 30 * c.Idle
	c.Release = 10 * time.Second
	c.Tombstones = 2 * c.Idle
	c.Default = ratelimit.Policy{
		Capacity: int64(pick(r, 10, 100, 1000)), RefillRate: ratelimit.Whole(int64(pick(r, 1, 10, 100))),
		IntervalSeconds: ratelimit.Whole(int64(pick(r, 1, 10, 60))),
	}
	c.Net = Net{
		Latency: int64(pick(r, 0, 50, 2000)), Drop: pick(r, 0, 20, 150), Dup: pick(r, 0, 20, 150),
		Slow: pick(r, 0, 20, 100), SlowMS: min(int64(pick(r, 5_000, 25_000, 600_000)), c.Idle.Milliseconds()/2), Damage: pick(r, 0, 0, 20),
	}
	for range c.Machines {
		c.Clocks = append(c.Clocks, Clock{OffsetMS: int64(r.IntN(4000) - 2000)})
	}
	return c
}

// weights is how often each kind of operation is drawn. A seed leaves some of
// them out and makes others frequent: bugs hide where a mix is extreme.
type weights struct {
	of    [opKinds]int
	total int
}

func newWeights(r *rand.Rand, c *Config) *weights {
	w := &weights{of: [opKinds]int{
		OpConsume: 300, OpRefund: 30, OpFlush: 200, OpIdle: 30, OpPull: 100, OpCollect: 40, OpGossip: 20, OpTick: 20,
		OpCrash: 20, OpStop: 8, OpBackup: 8, OpRestore: 4, OpLoseDisk: 3, OpSplit: 8, OpHeal: 8, OpForget: 4,
	}}
	for k := OpRefund; k < opKinds; k++ {
		if k == OpFlush || k == OpPull {
			continue
		}
		w.of[k] = w.of[k] * pick(r, 0, 1, 1, 1, 4)
	}
	for _, n := range w.of {
		w.total += n
	}
	return w
}

func (w *weights) draw(r *rand.Rand) OpKind {
	n := r.IntN(w.total)
	for k, weight := range w.of {
		if n -= weight; n < 0 {
			return OpKind(k)
		}
	}
	return OpConsume
}
