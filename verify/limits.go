package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openclaw/clawd/internal/witness"
)

// lookEvery is the pause between two looks at a shared agent on a node.
const lookEvery = 250 * time.Millisecond

// sight is what the nodes told of an agent while it was under load.
type sight struct {
	published int64         // the largest overshoot_bound
	stale     time.Duration // the largest staleness
	foreign   string        // the policy of somebody else that decided instead of ours
}

// look reads the bounds the nodes publish while the load goes on, the shared
// agents in turns.
func (r *run) look(ctx context.Context) {
	var shared []agent
	for _, a := range r.agents() {
		if !a.single {
			shared = append(shared, a)
		}
	}
	r.seen = make(map[string]sight)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		a := shared[n%len(shared)]
		eachPeer(r.peers, func(p *peer) error {
			got, err := p.client.Agents.Get(ctx, a.name)
			if err != nil {
				return err // a node that does not answer is told by the load
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			s := r.seen[a.name]
			s.published = max(s.published, got.OvershootBound)
			s.stale = max(s.stale, time.Duration(got.StalenessMS)*time.Millisecond)
			if got.Policy.Name != a.policy.Name {
				s.foreign = got.Policy.Name
			}
			r.seen[a.name] = s
			return nil
		})
	}
}

// judgeAnswers tells of requests that got no decision.
func (r *run) judgeAnswers() {
	var complaints []string
	for _, p := range r.peers {
		undecided := r.book.Answers(at(p), without)
		switch {
		case p.down != nil:
			when := ""
			if len(undecided) > 0 {
				when = fmt.Sprintf(", first %v after the start", shown(undecided[0].Sent))
			}
			complaints = append(complaints, fmt.Sprintf("%s (%s) stopped answering%s: %s got no decision. It %s", p.name, p.url, when, counted(len(undecided), "request"), reason(p.down)))
		case len(undecided) > 0:
			complaints = append(complaints, fmt.Sprintf("%s got no decision from %s, the first %v after the start: it %s",
				counted(len(undecided), "request"), p.name, shown(undecided[0].Sent), reason(undecided[0].Err)))
		}
	}
	all := r.book.Answers()
	r.report.verdict("decisions", strings.Join(complaints, "; "), "all of %s got one; the slowest took %v", counted(len(all), "request"), shown(slowest(all)))
}

func slowest(answers []witness.Answer) (most time.Duration) {
	for _, a := range answers {
		most = max(most, a.Done-a.Sent)
	}
	return most
}

func at(p *peer) func(witness.Answer) bool {
	return func(a witness.Answer) bool { return a.Node == p.name }
}

// without selects requests that got no decision.
func without(a witness.Answer) bool {
	return a.Verdict == witness.Unknown || a.Verdict == witness.Refused
}

// leastOfIdeal is the share of what one central bucket admits that must be
// admitted: nodes that hold back for peers they have no news of deny a little.
const leastOfIdeal = 0.8

// judgeAgents compares what was admitted with one central bucket.
func (r *run) judgeAgents() {
	for _, a := range r.agents() {
		answers := r.book.Answers(witness.Of(a.name))
		limit := witness.Limit{Capacity: a.policy.Capacity, PerSecond: a.perSecond()}
		sum := witness.Sum(answers)
		seen := r.seen[a.name]
		f := Agent{
			Agent: a.name, Nodes: len(r.peers), Capacity: a.policy.Capacity, PerSecond: a.perSecond(),
			Requests: sum.Requests, Errors: sum.Errors, Admitted: sum.Admitted,
			Ideal: limit.Ideal(answers), Overshoot: limit.Overshoot(answers),
			Published: seen.published, Bound: float64(seen.published),
		}
		if a.single {
			f.Nodes = 1
		}
		// What a node has heard is as old as the news on their way, and as the last look was coarse.
		news := seen.stale + r.store.longest + lookEvery + slowest(answers)
		f.Bound = max(f.Bound, unseen(answers, limit, news))
		r.report.Agents = append(r.report.Agents, f)
		what := strings.TrimPrefix(a.name, r.report.Prefix+"-")
		r.report.add("limit "+what, f.status(seen.foreign), "%s", f.sentence(seen.foreign, news))
	}
}

// one is what rounding can come to: a bucket that is full to a millionth admits.
const one = 1

func (f Agent) status(foreign string) Status {
	switch {
	case foreign != "", f.Overshoot > f.Bound+one:
		return Fail
	case f.Ratio() < leastOfIdeal && f.Errors > 0:
		return Note // what a node that is down would have admitted is missing
	case f.Ratio() < leastOfIdeal:
		return Fail
	}
	return Pass
}

func (f Agent) sentence(foreign string, news time.Duration) string {
	if foreign != "" {
		return fmt.Sprintf("the policy %q decided about the temporary agent instead of its own", foreign)
	}
	s := fmt.Sprintf("%d admitted of %d that one central bucket admits (%.2f); %.1f tokens over the limit at the worst, ",
		f.Admitted, f.Ideal, f.Ratio(), f.Overshoot)
	if f.Nodes == 1 {
		return s + "where one node alone must be exact"
	}
	return s + fmt.Sprintf("at most %.0f with news up to %v old", f.Bound, shown(news))
}

// unseen bounds by how much the nodes together can be over a limit: a node admits
// on what it has heard, so at most what the other ones were asked for in the time
// that news take,
//
//	Σ_{j≠i} min(offered at j within τ, C + r·τ),
//
// at the worst of the requests, i being its node.
func unseen(answers []witness.Answer, l witness.Limit, news time.Duration) (worst float64) {
	most := float64(l.Capacity) + l.PerSecond*news.Seconds()
	recent := map[string]float64{} // by node, in the window that ends with the request
	first := 0
	for _, a := range answers {
		recent[a.Node] += float64(a.Tokens)
		for answers[first].Sent < a.Sent-news {
			recent[answers[first].Node] -= float64(answers[first].Tokens)
			first++
		}
		sum := 0.0
		for node, offered := range recent {
			if node != a.Node {
				sum += min(offered, most)
			}
		}
		worst = max(worst, sum)
	}
	return worst
}

// converge waits until every node counts for each agent just what its clients were
// granted.
func (r *run) converge(ctx context.Context) {
	peers := r.up()
	if len(peers) == 0 {
		return
	}
	took, err := until(ctx, r.o.Within, func(ctx context.Context) error {
		return sayOnce(peers, eachPeer(peers, func(p *peer) error { return r.countsAll(ctx, p) }))
	})
	if err != nil {
		r.report.add("totals", Fail, "after %v nodes do not count what clients were granted: %s%s", r.o.Within, oneLine(err), r.suspects(ctx, peers))
		return
	}
	r.report.ConvergedMS = millis(took)
	granted := witness.Sum(r.book.Answers()).Admitted
	switch len(peers) {
	case 1:
		r.report.add("totals", Pass, "%s counts the %d tokens that clients were granted, no more and no less", peers[0].name, granted)
	default:
		r.report.add("totals", Pass, "all count the %d tokens that clients were granted, no more and no less, %v after the last answer", granted, shown(took))
	}
}

// countsAll is nil when a node counts what was granted of every agent. What a node
// that failed may have forgotten, or counted without telling, is allowed for.
func (r *run) countsAll(ctx context.Context, p *peer) error {
	for _, a := range r.agents() {
		got, err := p.client.Agents.Get(ctx, a.name)
		if err != nil {
			return fmt.Errorf("it %s", reason(err))
		}
		account := witness.AccountOf(r.book.Answers(witness.Of(a.name)), int64(got.Consumed)-int64(got.Refunded))
		if err := account.Check(r.mayForget(a.name), 0); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return nil
}

// sayOnce joins what nodes complain of, and says only once what all of them say.
func sayOnce(peers []*peer, errs []error) error {
	first := errs[0]
	if first != nil && !slices.ContainsFunc(errs, func(err error) bool { return err == nil || err.Error() != first.Error() }) {
		return first
	}
	var all []error
	for i, err := range errs {
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", peers[i].name, err))
		}
	}
	return errors.Join(all...)
}

// slip is how long before it fails a node may have acknowledged what it then
// forgets: a flush interval, and the time for a commit.
const slip = time.Second

func (r *run) mayForget(agent string) (tokens int64) {
	for _, p := range r.peers {
		if undecided := r.book.Answers(at(p), without); len(undecided) > 0 {
			failed := undecided[0].Sent
			tokens += witness.Sum(r.book.Answers(witness.Of(agent), witness.AckedIn(p.name, failed-slip, failed))).Admitted
		}
	}
	return tokens
}

// suspects names the nodes through which more was granted than their own row has.
func (r *run) suspects(ctx context.Context, peers []*peer) string {
	var all []string
	for _, p := range peers {
		for _, a := range r.agents() {
			granted := witness.Sum(r.book.Answers(witness.Of(a.name), at(p))).Admitted
			got, err := p.client.Agents.Get(ctx, a.name)
			if err != nil {
				continue
			}
			own := int64(0)
			for _, o := range got.Origins {
				if o.Node == p.name {
					own += int64(o.Consumed)
				}
			}
			if own < granted {
				all = append(all, fmt.Sprintf("%s granted %d of %s and has %d on its own row", p.url, granted, a.name, own))
				break
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ". " + strings.Join(slices.Compact(all), "; ") + ": it forgot them, or something in between answers in its place"
}
