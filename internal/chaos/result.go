package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/openclaw/clawd/internal/witness"
)

// Result is what a fault cost.
type Result struct {
	Fault string
	Nodes int
	// Of the agent with the tight limit.
	Requests  int
	Admitted  int64
	Ideal     int64   // what one central bucket admits of the same arrivals
	Overshoot float64 // most tokens over the limit in any stretch of time
	Bound     float64 // what the design allows
	During    float64 // admitted ÷ ideal while the fault lasted
	Recovered float64 // the same after it, once a full debt can be paid back
	// Of the agents that are never denied.
	Forgotten      int64 // acknowledged under sync or reserve, and not counted
	ForgottenAsync int64
	MayForget      int64 // of async: what was acknowledged in the flush interval before crashes
	Invented       int64 // counted, although nobody asked for it; without what reserve may charge
	Errors         int   // requests without a decision
	Converge       time.Duration

	counted map[string]int64
	broken  []string
	logs    string
}

// Logs is what the nodes said, if a promise did not hold.
func (r Result) Logs() string { return r.logs }

// Broken lists the promises that did not hold; empty is good.
func (r Result) Broken() []string { return r.broken }

// What the design promises and a trial checks.
const (
	// usualReach is τ of the design: flush, push and merge, with a machine that is
	// busy with several nodes and their clients.
	usualReach = 300 * time.Millisecond
	// released is when the majority lets go of a silent minority's share, once the
	// silence is noticed, which takes at least as long again.
	released = 10 * time.Second
	// payback is (capacity + floor) / rate: how long a full debt takes.
	payback = 2 * time.Second
	// leastRecovered is the share of the ideal that must be admitted after that.
	leastRecovered = 0.8
	// mostConverge is three pulls and a transfer.
	mostConverge = 3*2*time.Second + 4*time.Second
)

// bound is replication's error bound for one agent: from a full bucket each other
// node can admit C + r·τ unseen; the part of a partition in which one side has
// taken over the other's share, and the other still uses it, adds r·share·time.
// The share is what those nodes admitted of all before they were cut off.
func (t *trial) bound(before []witness.Answer) float64 {
	unseen := float64(len(t.nodes)-1) * (tightRate + tightRate*t.reach.Seconds())
	apart := slices.DeleteFunc(slices.Clone(before), func(a witness.Answer) bool { return !slices.Contains(t.apart, a.Node) })
	share := float64(witness.Sum(apart).Admitted) / max(1, float64(witness.Sum(before).Admitted))
	return unseen + tightRate*share*t.unheld.Seconds()
}

// judge fills in what follows from the book.
func (t *trial) judge(r *Result, f Fault, began, healed time.Duration) {
	book := &t.fleet.Book
	tight := book.Answers(witness.Of(tightAgent))
	s := witness.Sum(tight)
	r.Fault, r.Nodes, r.Requests, r.Admitted = f.Name, len(t.nodes), s.Requests, s.Admitted
	r.Ideal = tightLimit.Ideal(tight)
	r.Overshoot, r.Bound = tightLimit.Overshoot(tight), t.bound(book.Answers(witness.Of(tightAgent), witness.SentIn(began-t.scale.Warm/2, began)))
	r.During = share(tight, began, healed)
	// A debt is paid back once it is known.
	r.Recovered = share(tight, healed+r.Converge+payback, t.fleet.Since())
	r.Errors = witness.Sum(book.Answers()).Errors

	for _, slip := range t.slips {
		r.MayForget += witness.Sum(book.Answers(witness.Of(asyncAgent), slip)).Admitted
	}
	for agent, counted := range r.counted {
		a := witness.AccountOf(book.Answers(witness.Of(agent)), counted)
		switch agent {
		case asyncAgent:
			r.ForgottenAsync = a.Forgotten()
		case reserveAgent, syncAgent:
			r.Forgotten += a.Forgotten()
		}
		mayCharge := int64(0)
		if agent == reserveAgent {
			mayCharge = int64(t.crashes) * (roomyCapacity/100 + 1)
		}
		r.Invented += max(0, a.Invented()-mayCharge)
	}
	r.check()
}

// share is admitted ÷ ideal of the requests sent in a stretch of time.
func share(answers []witness.Answer, from, until time.Duration) float64 {
	in := witness.SentIn(from, until)
	var admitted int64
	for _, a := range answers {
		if a.Verdict == witness.Admitted && in(a) {
			admitted += a.Tokens
		}
	}
	ideal := tightLimit.Ideal(answers, in)
	if ideal == 0 {
		return 1
	}
	return float64(admitted) / float64(ideal)
}

func (r *Result) check() {
	broken := func(format string, args ...any) { r.broken = append(r.broken, fmt.Sprintf(format, args...)) }
	if r.Overshoot > r.Bound {
		broken("overshoot of %.0f tokens, the bound is %.0f", r.Overshoot, r.Bound)
	}
	if r.Forgotten > 0 {
		broken("%d tokens acknowledged under sync or reserve are forgotten", r.Forgotten)
	}
	if r.ForgottenAsync > r.MayForget {
		broken("%d tokens acknowledged under async are forgotten, at most %d were younger than a flush interval", r.ForgottenAsync, r.MayForget)
	}
	if r.Invented > 0 {
		broken("%d tokens are counted that nobody asked for", r.Invented)
	}
	if r.Recovered < leastRecovered {
		broken("after the fault %.2f of the ideal was admitted, want %.2f", r.Recovered, leastRecovered)
	}
	if r.Converge > mostConverge {
		broken("the nodes agreed after %v, want at most %v", r.Converge.Round(time.Millisecond), mostConverge)
	}
}
