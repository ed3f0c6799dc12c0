package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/openclaw/clawd/internal/sim"
)

// shrinkFor bounds the search for a shorter plan.
const shrinkFor = 30 * time.Second

// replay runs one seed again and tells all of it; of a violation also the
// shortest story that still ends in it.
func replay(o options, out, errs io.Writer) int {
	res := sim.Run(sim.NewPlan(o.seed), sim.Options{Story: true})
	_, _ = fmt.Fprint(out, res.Story)
	res.Tally.Print(out)
	violations := 0
	if v := res.Violation; v != nil {
		violations = 1
		if !o.noShrink {
			_, _ = fmt.Fprint(out, "\n", shrunk(o.seed, v, o.plan))
			if o.plan != "" {
				_, _ = fmt.Fprintln(errs, "the shrunk plan is in", o.plan)
			}
		}
	}
	_, _ = fmt.Fprintf(out, "sim: 1 schedules, %d violations\n", violations)
	return violations
}

// shrunk tells the shortest way to break the same promise, and keeps its plan.
func shrunk(seed uint64, v *sim.Violation, keep string) string {
	plan := sim.NewPlan(seed)
	short := sim.Shrink(plan, v.Invariant, shrinkFor, time.Now)
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d breaks %s; %d of its %d operations are enough for that, on %d machines of %d:\n\n",
		seed, v.Invariant, len(short.Ops), len(plan.Ops), short.Machines+short.Spares, plan.Machines+plan.Spares)
	b.WriteString(short.Describe())
	b.WriteString(sim.Run(short, sim.Options{Story: true}).Story)
	if keep != "" {
		text, err := short.Marshal()
		if err == nil {
			err = os.WriteFile(keep, text, 0o600)
		}
		if err != nil {
			fmt.Fprintf(&b, "the plan cannot be kept: %v\n", err)
		}
	}
	return b.String()
}
