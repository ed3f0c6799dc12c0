package sim

import "time"

// Shrink takes out of a failing plan what it does not need to fail in the same
// way: operations, faults of the network, machines. It stops after budget.
func Shrink(p *Plan, invariant string, budget time.Duration, now func() time.Time) *Plan {
	s := shrinker{best: p, invariant: invariant, until: now().Add(budget), now: now}
	for again := true; again && !s.late(); {
		again = s.dropOps()
		again = s.simplify() || again
	}
	return s.best
}

type shrinker struct {
	best      *Plan
	invariant string
	until     time.Time
	now       func() time.Time
}

func (s *shrinker) late() bool { return s.now().After(s.until) }

// try keeps a plan that still fails.
func (s *shrinker) try(p *Plan) bool {
	v := Run(p, Options{}).Violation
	if v == nil || v.Invariant != s.invariant {
		return false
	}
	s.best = p
	return true
}

// dropOps removes stretches of operations, long ones first.
func (s *shrinker) dropOps() (smaller bool) {
	for n := len(s.best.Ops) / 2; n > 0; n /= 2 {
		for at := 0; at < len(s.best.Ops) && !s.late(); {
			p := *s.best
			p.Ops = append(append([]Op(nil), p.Ops[:at]...), p.Ops[min(at+n, len(p.Ops)):]...)
			if s.try(&p) {
				smaller = true
				continue // what follows has moved here
			}
			at += n
		}
	}
	return smaller
}

// simplify makes the surroundings as plain as they can be.
func (s *shrinker) simplify() (simpler bool) {
	for _, change := range []func(*Plan) bool{
		func(p *Plan) bool { return set(&p.Net.Drop, 0) },
		func(p *Plan) bool { return set(&p.Net.Dup, 0) },
		func(p *Plan) bool { return set(&p.Net.Slow, 0) },
		func(p *Plan) bool { return set(&p.Net.Damage, 0) },
		func(p *Plan) bool { return set(&p.Net.Latency, 0) },
		func(p *Plan) bool { return set(&p.PageRows, 4096) },
		func(p *Plan) bool { return set(&p.HotCells, 1000) },
		func(p *Plan) bool { return set(&p.Agents, 1) },
		func(p *Plan) bool { return fewerMachines(p) },
		func(p *Plan) bool {
			for i := range p.Clocks {
				if p.Clocks[i] != (Clock{}) {
					clocks := make([]Clock, len(p.Clocks))
					p.Clocks = clocks
					return true
				}
			}
			return false
		},
	} {
		p := *s.best
		if !s.late() && change(&p) && s.try(&p) {
			simpler = true
		}
	}
	return simpler
}

func set[T comparable](field *T, to T) (changed bool) {
	changed = *field != to
	*field = to
	return changed
}

func fewerMachines(p *Plan) bool {
	last := p.Machines - 1
	if last < 1 {
		return false
	}
	p.Machines = last
	var kept []Op
	for _, op := range p.Ops {
		if op.M < last && op.P < last {
			kept = append(kept, op)
		}
	}
	p.Ops = kept
	return true
}
