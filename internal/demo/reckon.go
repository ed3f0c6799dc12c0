package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

// staleness is the time in which a node may not have heard what another has
// admitted: a flush, a push and a merge on a busy machine.
const staleness = 500 * time.Millisecond

// account is what one recording came to, in its own unit.
type account struct {
	offered, admitted, ideal int64
	requests, denied         int
	worst                    string // the agent with the largest overshoot
	overshoot, bound         int64
}

func (r *outcome) held() bool {
	if r.equal != nil || r.failed > 0 {
		return false
	}
	for _, s := range r.scenes {
		if a := r.account(s); a.overshoot > a.bound {
			return false
		}
	}
	return true
}

// account replays the answers of one recording against a single bucket that
// sees everything.
func (r *outcome) account(s *scene) account {
	byAgent := make(map[string][]answered)
	var a account
	for _, q := range r.requests {
		if q.scene != s {
			continue
		}
		byAgent[q.agent] = append(byAgent[q.agent], q)
		a.requests++
		a.offered += q.tokens
		if q.allowed {
			a.admitted += q.tokens
		} else {
			a.denied++
		}
	}
	a.bound = r.bound(s)
	for agent, list := range byAgent {
		a.ideal += ideal(s, list)
		if over := overshoot(s, list); over > a.overshoot {
			a.overshoot, a.worst = over, agent
		}
	}
	return a
}

// ideal is what one central bucket would have admitted of the same arrivals.
func ideal(s *scene, list []answered) (admitted int64) {
	slices.SortStableFunc(list, func(x, y answered) int { return int(x.sent - y.sent) })
	b := ratelimit.NewBucket(0, &s.limit, nil)
	for _, q := range list {
		if b.Admit(q.sent.Nanoseconds(), &s.limit, nil, q.tokens*ratelimit.Token) {
			admitted += q.tokens
		}
	}
	return admitted
}

// overshoot feeds everything that was admitted anywhere into one bucket that
// may go into debt; the deepest debt is the overshoot, over any window.
func overshoot(s *scene, list []answered) int64 {
	slices.SortStableFunc(list, func(x, y answered) int { return int(x.done - y.done) })
	limit := s.limit
	limit.Floor = 1 << 62
	b := ratelimit.NewBucket(0, &limit, nil)
	var deepest int64
	for _, q := range list {
		if q.allowed {
			b.Charge(q.done.Nanoseconds(), &limit, nil, q.tokens*ratelimit.Token)
			deepest = min(deepest, b.Level(q.done.Nanoseconds(), &limit, nil))
		}
	}
	return (-deepest + ratelimit.Token - 1) / ratelimit.Token
}

// bound is the published one: (N−1)·(C + r·τ) while all nodes hear each other,
// and (g−1)·(C + r·T) for a cut into g groups that lasts T.
func (r *outcome) bound(s *scene) int64 {
	perSecond := float64(s.policy.RefillRate.Millionths()) / 1e6
	c := float64(s.policy.Capacity)
	healthy := (nodeCount - 1) * (c + perSecond*staleness.Seconds())
	return int64(healthy + c + perSecond*r.cutFor.Seconds())
}

func report(w io.Writer, o options, r *outcome) {
	fmt.Fprintf(w, "\n%v of recorded traffic in %v at %d nodes; %s was cut off for %v of it.\n\n",
		o.span, r.took.Round(100*time.Millisecond), nodeCount, nodeName(nodeCount-1), r.cutFor.Round(100*time.Millisecond))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	accounts := make([]account, len(r.scenes))
	for i, s := range r.scenes {
		accounts[i] = r.account(s)
	}
	row := func(name string, cell func(*scene, account) string) {
		fmt.Fprintf(t, "%s\t", name)
		for i, s := range r.scenes {
			fmt.Fprintf(t, "%s\t", cell(s, accounts[i]))
		}
		fmt.Fprintln(t)
	}
	row("", func(s *scene, _ account) string { return s.name })
	row("counted in", func(s *scene, _ account) string { return s.unit })
	row("policy", func(s *scene, _ account) string {
		return fmt.Sprintf("%s + %s/s", thousands(s.policy.Capacity), s.policy.RefillRate)
	})
	row("requests", func(_ *scene, a account) string { return thousands(int64(a.requests)) })
	row("denied", func(_ *scene, a account) string {
		return fmt.Sprintf("%s (%.1f %%)", thousands(int64(a.denied)), 100*float64(a.denied)/float64(max(a.requests, 1)))
	})
	row("offered", func(_ *scene, a account) string { return thousands(a.offered) })
	row("admitted", func(_ *scene, a account) string { return thousands(a.admitted) })
	row("one central bucket", func(_ *scene, a account) string { return thousands(a.ideal) })
	row("admitted ÷ central", func(_ *scene, a account) string {
		return fmt.Sprintf("%.3f", float64(a.admitted)/float64(max(a.ideal, 1)))
	})
	row("overshoot, worst agent", func(_ *scene, a account) string { return thousands(a.overshoot) })
	row("bound", func(_ *scene, a account) string { return thousands(a.bound) })
	row("", func(_ *scene, a account) string {
		if a.overshoot > a.bound {
			return "BROKEN"
		}
		return "held"
	})
	_ = t.Flush() // to a terminal or a file the next line fails as well
	fmt.Fprintf(w, "\nNodes agreed %v after the last answer. Synchronised %s, %.0f bytes a merged row.\n",
		r.converged.Round(time.Millisecond), bytesText(r.synced), r.synced/max(r.syncedRow, 1))
	switch {
	case r.failed > 0:
		fmt.Fprintf(w, "FAILED: %d requests had no answer.\n", r.failed)
	case r.equal != nil:
		fmt.Fprintf(w, "FAILED: the nodes do not agree with the clients:\n%v\n", r.equal)
	case !r.held():
		fmt.Fprintln(w, "FAILED: a bound was broken.")
	default:
		fmt.Fprintln(w, "Every node counts exactly what the clients were granted.")
	}
}

// thousands writes a number in groups of three digits.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func bytesText(n float64) string {
	const unit = 1024
	switch {
	case n >= unit*unit:
		return fmt.Sprintf("%.1f MiB", n/unit/unit)
	case n >= unit:
		return fmt.Sprintf("%.0f KiB", n/unit)
	}
	return fmt.Sprintf("%.0f B", n)
}
