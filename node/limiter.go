package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/rating"
)

// public answers what the public listener is asked. It is the Node, seen from
// there: it translates, waits for the disk where the answer needs it, and
// counts.
type public struct{ n *Node }

var _ api.PublicBackend = public{}

// Consume implements api.Limiter.
func (p public) Consume(ctx context.Context, c api.Check) (api.Decision, error) {
	n := p.n
	if err := n.started(); err != nil {
		return api.Decision{}, err
	}
	q := replica.Request{Tenant: c.Tenant, Agent: c.Agent, Tokens: micro(c.Tokens), Retry: c.Retry}
	if c.Inline.Given {
		limit, err := inlineLimit(c.Inline.Policy)
		if err != nil {
			return api.Decision{}, err
		}
		q.Inline = &limit
	}
	d, err := n.consume(ctx, &q)
	if err != nil {
		return api.Decision{}, apiError(err)
	}
	n.count(&q, &d)
	return d, nil
}

// consume decides one request, as often as it takes: a bucket of a `reserve`
// policy may first need a higher mark on disk.
func (n *Node) consume(ctx context.Context, q *replica.Request) (ratelimit.Decision, error) {
	for {
		var out replica.Outcome
		if err := n.replica.Consume(n.now(), q, &out); err != nil {
			return ratelimit.Decision{}, err
		}
		if out.Wait == 0 {
			return out.Decision, nil
		}
		if err := n.waiters.wait(ctx, out.Wait); err != nil {
			if !out.Again {
				n.undo(q, out.Decision, err)
			}
			return ratelimit.Decision{}, err
		}
		if !out.Again {
			return out.Decision, nil
		}
	}
}

// undo gives back what a `sync` policy has taken and the disk has refused: the
// caller is told that nothing was taken. When only the caller has gone away
// the consumption stands, as it would had the answer been lost.
func (n *Node) undo(q *replica.Request, d ratelimit.Decision, cause error) {
	if d.Allowed && errors.Is(cause, api.ErrUnavailable) {
		_, _, _ = n.replica.Refund(n.now(), q)
	}
}

// ConsumeBatch implements api.Limiter.
func (p public) ConsumeBatch(ctx context.Context, checks []api.Check, atomic bool, out []api.Decision) (int, error) {
	if err := p.n.started(); err != nil {
		return -1, err
	}
	n := p.n
	b := batches.Get().(*batchState)
	defer b.release()
	if err := b.take(checks); err != nil {
		return -1, err
	}
	binding, err := n.consumeBatch(ctx, b, atomic, out)
	if err != nil {
		return -1, err
	}
	n.countBatch(b.qs, out)
	if !atomic {
		binding = lastGrantable(out)
	}
	return binding, nil
}

// lastGrantable is the index of the denied decision with the longest wait, -1
// when all were allowed.
func lastGrantable(out []api.Decision) int {
	last := -1
	for i := range out {
		if !out[i].Allowed && (last < 0 || out[i].RetryAfter > out[last].RetryAfter) {
			last = i
		}
	}
	return last
}

// batchState is a batch as the replica takes it. Batches are pooled; one is a call's
// at a time.
type batchState struct {
	qs       []replica.Request
	limits   []ratelimit.Limit // of inline policies
	outcomes []replica.Outcome
}

var batches = sync.Pool{New: func() any { return new(batchState) }}

// keepBatch bounds what a pooled batch pins.
const keepBatch = 4096

func (b *batchState) release() {
	if cap(b.qs) > keepBatch {
		return
	}
	clear(b.qs) // agents point into somebody's buffer
	batches.Put(b)
}

// take translates checks.
func (b *batchState) take(checks []api.Check) error {
	b.qs = slices.Grow(b.qs[:0], len(checks))[:len(checks)]
	b.outcomes = slices.Grow(b.outcomes[:0], len(checks))[:len(checks)]
	b.limits = b.limits[:0]
	for i := range checks {
		c := &checks[i]
		b.qs[i] = replica.Request{Tenant: c.Tenant, Agent: c.Agent, Tokens: micro(c.Tokens), Retry: c.Retry}
		if !c.Inline.Given {
			continue
		}
		limit, err := inlineLimit(c.Inline.Policy)
		if err != nil {
			return inCheck(i, err)
		}
		// When the slice moves, earlier requests keep pointing to where it was.
		b.limits = append(b.limits, limit)
		b.qs[i].Inline = &b.limits[len(b.limits)-1]
	}
	return nil
}

func (n *Node) consumeBatch(ctx context.Context, ba *batchState, atomic bool, out []api.Decision) (int, error) {
	for {
		b, bad, err := n.replica.ConsumeBatch(n.now(), ba.qs, atomic, ba.outcomes)
		if err != nil {
			return -1, batchError(bad, err)
		}
		if err := n.waiters.wait(ctx, b.Wait); err != nil {
			if !b.Again || !atomic {
				n.undoBatch(ba.qs, ba.outcomes, atomic, err)
			}
			return -1, err
		}
		if !b.Again {
			decisionsOf(ba.outcomes, out)
			return b.Binding, nil
		}
		if !atomic {
			return b.Binding, n.decideAgain(ctx, ba.qs, ba.outcomes, out)
		}
	}
}

func (n *Node) undoBatch(qs []replica.Request, outcomes []replica.Outcome, atomic bool, cause error) {
	for i := range qs {
		if atomic || !outcomes[i].Again && outcomes[i].Wait > 0 {
			n.undo(&qs[i], outcomes[i].Decision, cause)
		}
	}
}

// decideAgain decides those requests of a batch that had to wait for their
// marks; the others are decided for good.
func (n *Node) decideAgain(ctx context.Context, qs []replica.Request, outcomes []replica.Outcome, out []api.Decision) error {
	for i := range qs {
		if !outcomes[i].Again {
			out[i] = outcomes[i].Decision
			continue
		}
		d, err := n.consume(ctx, &qs[i])
		if err != nil {
			return batchError(i, err)
		}
		out[i] = d
	}
	return nil
}

func decisionsOf(outcomes []replica.Outcome, out []api.Decision) {
	for i := range outcomes {
		out[i] = outcomes[i].Decision
	}
}

// count puts one decision into the metrics and the ranking of agents.
func (n *Node) count(q *replica.Request, d *ratelimit.Decision) {
	if !d.Allowed {
		n.metrics.denied.Inc()
		n.metrics.deniedTokens.Add(float64(q.Tokens) / microTokens)
		return
	}
	n.metrics.allowed.Inc()
	n.metrics.allowedTokens.Add(float64(q.Tokens) / microTokens)
}

// countBatch is count for all of a batch.
func (n *Node) countBatch(qs []replica.Request, out []api.Decision) {
	var allowed int
	var tokens, denied int64 // whole: the api asks for nothing else
	for i := range qs {
		if out[i].Allowed {
			allowed++
			tokens += qs[i].Tokens / microTokens
			continue
		}
		denied += qs[i].Tokens / microTokens
	}
	n.metrics.allowed.Add(float64(allowed))
	n.metrics.allowedTokens.Add(float64(tokens))
	n.metrics.denied.Add(float64(len(qs) - allowed))
	n.metrics.deniedTokens.Add(float64(denied))
}

// micro is whole tokens in µtok; the api has bounded them.
func micro(tokens int64) int64 { return tokens * microTokens }

func inlineLimit(p wire.InlinePolicy) (ratelimit.Limit, error) {
	policy := ratelimit.Policy{Capacity: p.Capacity, RefillRate: p.RefillRate, IntervalSeconds: p.IntervalSeconds}
	if err := policy.Validate(); err != nil {
		var field *ratelimit.FieldError
		if errors.As(err, &field) {
			return ratelimit.Limit{}, api.Invalid("policy."+field.Field, "%s", field.Reason)
		}
		return ratelimit.Limit{}, err
	}
	return policy.Limit(), nil
}

// apiError gives an error of the replica the kind the api knows.
func apiError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, replica.ErrLimit):
		return api.Invalid("tokens", "is %s", err)
	case errors.Is(err, replica.ErrTooManyInline), errors.Is(err, replica.ErrConflict), errors.Is(err, replica.ErrSelf),
		errors.Is(err, replica.ErrPriceFrozen), errors.Is(err, replica.ErrEventConflict):
		return fmt.Errorf("%w: %w", api.ErrConflict, err)
	case errors.Is(err, replica.ErrNotFound):
		return fmt.Errorf("%w: %w", api.ErrNotFound, err)
	case errors.Is(err, replica.ErrCurrency), errors.Is(err, replica.ErrTooLate), errors.Is(err, replica.ErrFuture), errors.Is(err, rating.ErrTooMuch):
		return fmt.Errorf("%w: %w", api.ErrUnprocessable, err)
	case errors.Is(err, replica.ErrPrecondition):
		return fmt.Errorf("%w: %w", api.ErrPrecondition, err)
	}
	return err
}

// batchError is apiError for the i-th check of a batch.
func batchError(i int, err error) error { return inCheck(i, apiError(err)) }

// inCheck moves an error that names a field into the i-th check.
func inCheck(i int, err error) error {
	var field *api.FieldError
	if errors.As(err, &field) && i >= 0 {
		return api.InvalidCheck(i, field.Field, "%s", field.Reason)
	}
	return err
}
