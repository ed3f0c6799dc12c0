package sim

import (
	"fmt"
	"strings"

	"github.com/openclaw/clawd/crdt"
)

// world is one schedule while it runs.
type world struct {
	plan     *Plan
	now      int64 // ms, true time
	queue    queue
	machines []*machine
	cut      [][]bool // cut[a][b]: nothing of a reaches b
	ledger   *ledger
	coverage *Coverage
	tally    Tally
	wire     []byte           // of messages
	story    *strings.Builder // nil: nobody reads it
	broken   *Violation
	settling bool // faults are over
	lost     []crdt.NodeID
	news     bool  // somebody learnt something
	jumped   int64 // ms, of all clocks together
	muddled  bool  // limits or clocks were changed: no account of overshoot
	schism   bool  // a living node was forgotten
	torn     bool  // something durable was lost
	calm     bool  // messages arrive at once
	lag      lag
}

// Result is how a schedule ended.
type Result struct {
	Violation *Violation // nil: all promises were kept
	Tally     Tally
	Story     string // with Options.Story
}

// Options of a run.
type Options struct {
	Coverage *Coverage // may be nil
	Story    bool      // tell what happened
}

// RunSeed executes the plan of a seed and answers which promise it broke, or nil.
func RunSeed(seed uint64) *Violation { return Run(NewPlan(seed), Options{}).Violation }

// Run executes a plan. It always does the same.
func Run(p *Plan, o Options) Result {
	w := &world{plan: p, ledger: newLedger(), coverage: o.Coverage}
	if w.coverage == nil {
		w.coverage = new(Coverage)
	}
	if o.Story {
		w.story = new(strings.Builder)
	}
	w.runCatching()
	w.tally.Schedules, w.tally.Machines = 1, uint64(len(w.machines))
	w.tally.Shortest, w.tally.Longest = len(p.Ops), len(p.Ops)
	res := Result{Violation: w.broken, Tally: w.tally}
	if w.story != nil {
		res.Story = w.story.String()
	}
	return res
}

// runCatching makes a panic of a replica a violation: no input may do that.
func (w *world) runCatching() {
	defer func() {
		if r := recover(); r != nil {
			w.broken = nil
			w.tell("%s", stack())
			w.fail("I12", "a call: expected it to return, got a panic: %v", r)
		}
	}()
	w.begin()
	for i := range w.plan.Ops {
		op := &w.plan.Ops[i]
		w.queue.push(op.At, func(w *world) { w.do(op) })
	}
	end := w.plan.end()
	for w.broken == nil {
		e, ok := w.queue.pop()
		if !ok || e.at > end {
			break // what is still under way is lost
		}
		w.now = max(w.now, e.at)
		e.run(w)
	}
	if w.broken == nil {
		w.settle()
	}
}

func (w *world) begin() {
	n := w.plan.Machines + w.plan.Spares
	for i := range n {
		w.machines = append(w.machines, &machine{
			id: i, name: machineName(i), clock: w.plan.Clocks[i],
		})
		w.cut = append(w.cut, make([]bool, n))
	}
	for _, m := range w.machines[:w.plan.Machines] {
		w.newDisk(m)
		m.disk.empty = false // the whole cluster is new
		w.start(m)
	}
	for _, m := range w.machines[:w.plan.Machines] {
		w.introduce(m)
	}
}

// fail notes a violation; the first one counts.
func (w *world) fail(invariant, format string, args ...any) {
	if w.broken == nil {
		w.broken = &Violation{Invariant: invariant, Detail: fmt.Sprintf(format, args...), At: w.now}
		w.tell("VIOLATION of %s: %s", invariant, says(invariant))
		w.tell("%s: %s", invariant, w.broken.Detail)
	}
}

func (w *world) tell(format string, args ...any) {
	if w.story != nil {
		fmt.Fprintf(w.story, "%9s  ", clockText(w.now))
		fmt.Fprintf(w.story, format, args...)
		w.story.WriteByte('\n')
	}
}

// after runs fn later, on the machine's process if it is still the same one.
func (w *world) after(ms int64, p *process, fn func(*world, *process)) {
	w.queue.push(w.now+ms, func(w *world) {
		switch {
		case !p.alive():
		case p.m.paused(w.now):
			w.after(p.m.until-w.now, p, fn)
		default:
			fn(w, p)
		}
	})
}

// id makes identities out of what they are for, so that they do not depend on
// what else happened.
func (w *world) id(parts ...uint64) uint64 {
	c := chance(w.plan.Seed)
	for _, p := range parts {
		c = chance(c.next() ^ p)
	}
	return max(c.next(), 1)
}

// runName tells a run by its machine and start: "b2".
func (w *world) runName(o crdt.Origin) string {
	if i, ok := w.ledger.runOf[o]; ok {
		return w.ledger.runs[i].name
	}
	return o.String()
}
