package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

// Config is what a seed decides before anything happens. Times are scaled far
// down from the product's, so that what takes days there happens here often.
type Config struct {
	Seed     uint64
	Machines int // that the cluster begins with
	Spares   int // machines that may join, or run a copy of another's disk
	Agents   int
	Zipf     bool `json:",omitempty"` // some agents are busier than others
	Keys     int  // of the key-value store, registers and counters each

	Idle, Forget, Release, Tombstones time.Duration
	Age                               bool // let everything become idle in the end
	PageRows                          int
	HotCells                          int
	Metered                           bool `json:",omitempty"` // see meter
	Bite                              int  `json:",omitempty"` // tokens, at most, of a request; 0 = plainBite
	Default                           ratelimit.Policy
	Policies                          []ratelimit.Policy `json:",omitempty"` // that operators put and delete

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

// Op is one operation of a plan. All chance within it comes from R.
type Op struct {
	At   int64 // ms
	Kind OpKind
	M, P int // machine, and another one
	R    uint64
}

// Plan is a whole schedule.
type Plan struct {
	Config
	Ops []Op
}

// Bounds that the product has in minutes and days: how long a process stands
// still at most, and how long a message is under way, with that.
const maxPause = 15_000 // ms

func (c *Config) messageLife() time.Duration { return c.Idle/4 + (maxPause+5_000)*time.Millisecond }

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
	if r.IntN(5) == 0 {
		p.meter(r)
	}
	weights := newWeights(r, &p.Config)
	// Short ones are many a minute, long ones go deep.
	steps := pick(r, 20+r.IntN(40), 20+r.IntN(40), 60+r.IntN(100), 60+r.IntN(100), 60+r.IntN(100), 150+r.IntN(200))
	var now int64
	pace := pick(r, 400, 1000, 2500) // ms between two operations, about
	all := p.Machines + p.Spares
	for range steps {
		now += int64(pick(r, 0, r.IntN(pace), pace, 3*pace))
		p.Ops = append(p.Ops, Op{At: now, Kind: weights.draw(r), M: r.IntN(all), P: r.IntN(all), R: r.Uint64()})
	}
	return p
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func newConfig(seed uint64, r *rand.Rand) Config {
	c := Config{
		Seed:     seed,
		Machines: pick(r, 1, 2, 2, 2, 3, 3, 3, 3, 4),
		Spares:   pick(r, 0, 0, 1),
		Agents:   pick(r, 1, 2, 4, 6),
		Zipf:     pick(r, true, false),
		Keys:     pick(r, 0, 1, 2),
		Idle:     pick(r, 24*time.Hour, 60*time.Second, 60*time.Second),
		Age:      pick(r, true, false),
		PageRows: pick(r, 1, 2, 3, 4096),
		HotCells: pick(r, 1, 3, 1000),
	}
	c.Forget = 30 * c.Idle
	c.Release = 10 * time.Second
	c.Tombstones = 2 * c.Idle
	c.Default = newPolicy(r)
	for i := range pick(r, 0, 0, 2, 3) {
		p := newPolicy(r)
		p.Name = [...]string{"agent0", "all", "few"}[i]
		p.Match = [...]string{"", "agent*", "agent1*"}[i]
		c.Policies = append(c.Policies, p)
	}
	c.Net = Net{
		Latency: int64(pick(r, 0, 50, 2000)), Drop: pick(r, 0, 20, 150), Dup: pick(r, 0, 20, 150),
		Slow: pick(r, 0, 20, 100), SlowMS: int64(pick(r, 5_000, 25_000, 600_000)), Damage: pick(r, 0, 0, 20),
	}
	c.Net.SlowMS = min(c.Net.SlowMS, c.Idle.Milliseconds()/4)
	offset, drift := pick(r, 0, 2_000, int(c.Idle.Milliseconds())), pick(r, 0, 0, 500, 20_000)
	for range c.Machines + c.Spares {
		c.Clocks = append(c.Clocks, Clock{
			OffsetMS: int64(r.IntN(2*offset+1) - offset), DriftPPM: int64(r.IntN(2*drift+1) - drift),
		})
	}
	return c
}

// newPolicy draws a limit that the traffic of a schedule now and then exceeds.
func newPolicy(r *rand.Rand) ratelimit.Policy {
	p := ratelimit.Policy{
		Capacity: int64(pick(r, 10, 100, 1000)), RefillRate: ratelimit.Whole(int64(pick(r, 1, 10, 100))),
		IntervalSeconds: ratelimit.Whole(int64(pick(r, 1, 7, 60))),
		Durability:      pick(r, ratelimit.Async, ratelimit.Async, ratelimit.Reserve, ratelimit.Sync),
	}
	if floor := int64(pick(r, -1, -1, 0, 1_000_000)); floor >= 0 {
		p.Floor = &floor
	}
	if r.IntN(8) == 0 {
		p.Minority = ratelimit.MinorityHold
	}
	return p
}

// Describe tells what a story does not: how the cluster is set up.
func (p *Plan) Describe() string {
	var b strings.Builder
	l := p.Default.Limit()
	fmt.Fprintf(&b, "  %d machines, %d spare; %d agents with capacity %d, %s tokens in %s s, %s, floor %d",
		p.Machines, p.Spares, p.Agents, p.Default.Capacity, p.Default.RefillRate, p.Default.IntervalSeconds, p.Default.Durability, l.Floor/ratelimit.Token)
	for i := range p.Policies {
		fmt.Fprintf(&b, ", a policy %q", p.Policies[i].Name)
	}
	fmt.Fprintf(&b, "\n  idle after %v, forgotten after %v; %d rows a page, %d cells in memory", p.Idle, p.Forget, p.PageRows, p.HotCells)
	if n := p.Net; n.Drop+n.Dup+n.Slow+n.Damage > 0 {
		fmt.Fprintf(&b, "; of 1000 messages %d are lost, %d come twice, %d are late, %d are damaged", n.Drop, n.Dup, n.Slow, n.Damage)
	}
	for i, c := range p.Clocks {
		if c != (Clock{}) {
			fmt.Fprintf(&b, "; the clock of %s is off by %d ms and drifts by %d ppm", machineName(i), c.OffsetMS, c.DriftPPM)
		}
	}
	b.WriteString("\n\n")
	return b.String()
}

func machineName(i int) string { return string(rune('a' + i)) }
