package accuracy

import (
	"math"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

// The time of a run goes in ticks, as in the models.
const (
	simTick    = 20 * msNanos
	simLatency = 2 // ticks
	msNanos    = 1_000_000
)

type simCase struct {
	policy  ratelimit.Policy
	nodes   int
	load    float64 // of r, over all nodes
	syncMS  int
	seconds int
	seed    uint32
	cut     [2]int // partition into two halves, from and until a second
	// releaseAfter lets the half of the first node, which is the larger one or has
	// the smallest id, take over the share of the other one; 0 never does.
	releaseAfter time.Duration
	// offered replaces the load of a node at a second, in requests a second.
	offered func(node int, second float64) float64
}

// hundred is the bucket of the design's tables: 100 tokens, 100 a second.
func hundred(floor int64) ratelimit.Policy {
	return ratelimit.Policy{Capacity: 100, RefillRate: ratelimit.Whole(100), IntervalSeconds: ratelimit.Whole(1), Floor: &floor}
}

type simNode struct {
	b    ratelimit.Bucket
	v    *ratelimit.View
	own  int64   // µtok consumed here
	seen []int64 // totals of the others
}

type simMessage struct {
	from, to int
	total    int64
}

// sim is a run under way.
type sim struct {
	simCase
	l        ratelimit.Limit
	start    int64
	nodes    []simNode
	arrivals [][]int
	queue    [][]simMessage
}

// rate is the refill in µtok a ns.
func rate(l *ratelimit.Limit) float64 { return float64(l.RateNum) / float64(l.RateDen) }

func newView(peers int, heard int64) *ratelimit.View {
	v := &ratelimit.View{Members: peers}
	for i := range peers {
		v.Peers = append(v.Peers, ratelimit.NewPeer(uint64(i+1), heard))
	}
	return v
}

// start is a run before its first tick.
func start(c simCase) *sim {
	s := &sim{simCase: c, l: c.policy.Limit(), start: 1, arrivals: c.draw()}
	s.queue = make([][]simMessage, len(s.arrivals)+simLatency)
	for i := range c.nodes {
		v := newView(c.nodes, s.start)
		v.Peers[i].Leave() // a node is no peer of its own; the slot is for the numbering
		s.nodes = append(s.nodes, simNode{v: v, b: ratelimit.NewBucket(s.start, &s.l, v), seen: make([]int64, c.nodes)})
	}
	return s
}

func (c simCase) run() Result {
	s := start(c)
	perTick := rate(&s.l) * simTick / ratelimit.Token
	truth, central := float64(c.policy.Capacity), float64(c.policy.Capacity)
	var res Result
	var all, cut, heal struct{ got, ideal float64 }
	for k := range s.arrivals {
		got, offered := s.tick(k)
		truth = math.Min(float64(c.policy.Capacity), truth+perTick) - float64(got)
		res.Over = math.Max(res.Over, -truth)
		central = math.Min(float64(c.policy.Capacity), central+perTick)
		ideal := math.Min(float64(offered), math.Floor(central+1e-9))
		central -= ideal
		all.got, all.ideal = all.got+float64(got), all.ideal+ideal
		if second := simSecond(k); s.isCut(k) {
			cut.got, cut.ideal = cut.got+float64(got), cut.ideal+ideal
		} else if end := float64(c.cut[1]); second >= end && second < end+20 {
			heal.got, heal.ideal = heal.got+float64(got), heal.ideal+ideal
		}
	}
	res.Ratio = all.got / all.ideal
	res.InCut = cut.got / cut.ideal
	res.Healing = heal.got / heal.ideal
	res.Beyond = all.got - float64(c.policy.Capacity) - perTick*float64(len(s.arrivals))
	res.Bound = s.debtBound()
	return res
}

// tick delivers what arrives, serves what is asked and sends what is due.
func (s *sim) tick(k int) (got, offered int64) {
	now := s.start + int64(k+1)*simTick
	for _, m := range s.queue[k] {
		if !s.isCut(k) || s.sameSide(m.from, m.to) {
			s.receive(now, m)
		}
	}
	s.queue[k] = nil
	s.takeOver(k, now)
	period := s.syncMS / 20
	for i := range s.nodes {
		n := &s.nodes[i]
		asked := int64(s.arrivals[k][i])
		offered += asked
		if asked > 0 {
			take := min(asked, max(n.b.Level(now, &s.l, n.v)/ratelimit.Token, 0))
			n.b.Admit(now, &s.l, n.v, take*ratelimit.Token)
			n.own += take * ratelimit.Token
			got += take
		}
		if (k+period*i/s.simCase.nodes)%period == 0 {
			for j := range s.nodes {
				if j != i && (!s.isCut(k) || s.sameSide(i, j)) {
					s.queue[k+simLatency] = append(s.queue[k+simLatency], simMessage{i, j, n.own})
				}
			}
		}
	}
	return got, offered
}

func (s *sim) receive(now int64, m simMessage) {
	n := &s.nodes[m.to]
	if delta := m.total - n.seen[m.from]; delta != 0 {
		n.b.Observe(now, &s.l, n.v, m.from, delta)
		n.seen[m.from] = m.total
	}
	n.v.Peers[m.from].Heard.Store(now)
	n.v.Peers[m.from].Hold()
}

// takeOver releases the share of the other half, once.
func (s *sim) takeOver(k int, now int64) {
	due := float64(s.cut[0]) + s.releaseAfter.Seconds()
	if s.releaseAfter == 0 || !s.isCut(k) || simSecond(k) < due || simSecond(k-1) >= due {
		return
	}
	for i := range s.nodes {
		for j := range s.nodes {
			if s.sameSide(i, 0) && !s.sameSide(j, 0) {
				s.nodes[i].v.Peers[j].Release(now)
			}
		}
	}
}

func simSecond(k int) float64 { return float64(k+1) * simTick / 1e9 }

func (s *sim) isCut(k int) bool {
	return s.cut[1] > 0 && simSecond(k) >= float64(s.cut[0]) && simSecond(k) < float64(s.cut[1])
}

func (s *sim) sameSide(i, j int) bool {
	half := (s.simCase.nodes + 1) / 2
	return i < half == (j < half)
}

func (c simCase) draw() [][]int {
	random := newPythonRandom(c.seed)
	l := c.policy.Limit()
	even := c.load * rate(&l) / ratelimit.Token * 1e9 / float64(c.nodes)
	all := make([][]int, int(float64(c.seconds)*1e9)/simTick)
	for k := range all {
		all[k] = make([]int, c.nodes)
		for i := range all[k] {
			rate := even
			if c.offered != nil {
				rate = c.offered(i, simSecond(k))
			}
			all[k][i] = random.poisson(rate * simTick / 1e9)
		}
	}
	return all
}

// debtBound is the published bound on the debt of the true bucket: what the
// other nodes can have admitted unseen,
//
//	Σ_{j≠i} min(offered at j during τ, C + r·τ)
//
// at the worst instant and for the node i that has the least of its own, with
// τ = sync interval + latency + the ticks at both ends.
func (s *sim) debtBound() float64 {
	window := s.syncMS/20 + simLatency + 2
	tau := float64(window) * simTick
	most := float64(s.policy.Capacity) + rate(&s.l)*tau/ratelimit.Token
	offered := make([]float64, s.simCase.nodes)
	var worst float64
	for k := range s.arrivals {
		sum, least := 0.0, math.Inf(1)
		for i := range offered {
			offered[i] += float64(s.arrivals[k][i])
			if k >= window {
				offered[i] -= float64(s.arrivals[k-window][i])
			}
			part := math.Min(offered[i], most)
			sum, least = sum+part, math.Min(least, part)
		}
		worst = math.Max(worst, sum-least)
	}
	return worst
}
