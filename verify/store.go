package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openclaw/clawd/client"
)

// storeTrial is what came of trying the key-value store.
type storeTrial struct {
	err     error
	longest time.Duration // until something written was seen at all nodes
	tries   int
}

// counterSteps is how often each node increments the temporary counter.
const counterSteps = 5

// tryStore writes at one node and waits at the others.
func (r *run) tryStore(ctx context.Context) {
	for _, try := range []func(context.Context) error{r.tryRegister, r.tryLastWriter, r.tryConcurrent, r.tryCounter, r.tryDelete} {
		if r.store.err = try(ctx); r.store.err != nil {
			return
		}
	}
}

// judgeStore reports what tryStore found.
func (r *run) judgeStore() {
	complaint := ""
	if r.store.err != nil {
		complaint = oneLine(r.store.err)
	} else {
		r.report.KVVisibleMS = millis(r.store.longest)
	}
	r.report.verdict("store", complaint, "%d writes, deletes and sums arrived at %s, the slowest after %v; of writes at once one won everywhere",
		r.store.tries, r.everywhere(), shown(r.store.longest))
}

func (r *run) key(what string) string { return r.report.Prefix + "/" + what }

// tryRegister writes a key at each node.
func (r *run) tryRegister(ctx context.Context) error {
	for i, p := range r.peers {
		key := r.key(fmt.Sprintf("from-%d", i+1))
		if err := r.put(ctx, p, key, p.name); err != nil {
			return err
		}
		if err := r.arrives(ctx, "what was put at "+p.name, reads(key, p.name)); err != nil {
			return err
		}
	}
	return nil
}

// tryLastWriter overwrites at the last node what the first one wrote.
func (r *run) tryLastWriter(ctx context.Context) error {
	const later = "later"
	key, last := r.key("from-1"), r.last()
	if err := r.put(ctx, last, key, later); err != nil {
		return err
	}
	return r.arrives(ctx, "a later value, put at "+last.name+",", reads(key, later))
}

// tryConcurrent writes one key at all nodes at once: one value must win
// everywhere.
func (r *run) tryConcurrent(ctx context.Context) error {
	key := r.key("at-once")
	if err := errors.Join(eachPeer(r.peers, func(p *peer) error { return r.put(ctx, p, key, p.name) })...); err != nil {
		return err
	}
	_, err := until(ctx, r.o.Within, func(ctx context.Context) error {
		values := make([]string, len(r.peers))
		errs := eachPeer(r.peers, func(p *peer) error {
			e, err := p.client.KV.Get(ctx, key)
			values[slices.Index(r.peers, p)] = string(e.Value)
			return err
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for i, v := range values {
			if v != values[0] {
				return fmt.Errorf("%s has %q and %s has %q", r.peers[0].name, values[0], r.peers[i].name, v)
			}
		}
		if !slices.ContainsFunc(r.peers, func(p *peer) bool { return p.name == values[0] }) {
			return fmt.Errorf("all have %q, which nobody wrote", values[0])
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("after %v nodes do not agree on a key that all wrote at once: %w", r.o.Within, err)
	}
	return nil
}

// tryCounter increments at all nodes at once: the sum must be everywhere.
func (r *run) tryCounter(ctx context.Context) error {
	const by = 2
	key := r.key("counter")
	errs := eachPeer(r.peers, func(p *peer) error {
		for range counterSteps {
			_, err := p.client.KV.Increment(ctx, key, by)
			r.wrote("key", key, err)
			if err != nil {
				return fmt.Errorf("an increment at %s %s", p.name, reason(err))
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	want := int64(by * counterSteps * len(r.peers))
	return r.arrives(ctx, "the sum of a counter", func(ctx context.Context, p *peer) error {
		e, err := p.client.KV.Get(ctx, key)
		switch {
		case err != nil:
			return err
		case e.Counter == nil:
			return errors.New("has no counter there")
		case *e.Counter != want:
			return fmt.Errorf("has %d, want %d", *e.Counter, want)
		}
		return nil
	})
}

// tryDelete deletes at the last node what the first one wrote.
func (r *run) tryDelete(ctx context.Context) error {
	key, last := r.key("from-1"), r.last()
	if err := last.client.KV.Delete(ctx, key, ""); err != nil {
		return fmt.Errorf("a delete at %s %s", last.name, reason(err))
	}
	return r.arrives(ctx, "a delete", func(ctx context.Context, p *peer) error {
		_, err := p.client.KV.Get(ctx, key)
		switch {
		case errors.Is(err, client.ErrNotFound):
			return nil
		case err == nil:
			return errors.New("still has it")
		}
		return err
	})
}

func (r *run) last() *peer { return r.peers[len(r.peers)-1] }

func (r *run) put(ctx context.Context, p *peer, key, value string) error {
	_, err := p.client.KV.Put(ctx, key, []byte(value), client.PutOptions{ContentType: "text/plain"})
	r.wrote("key", key, err)
	if err != nil {
		return fmt.Errorf("a put at %s %s", p.name, reason(err))
	}
	return nil
}

// arrives waits until something holds at all nodes, and notes how long that took.
func (r *run) arrives(ctx context.Context, what string, at func(context.Context, *peer) error) error {
	took, err := until(ctx, r.o.Within, func(ctx context.Context) error {
		return errors.Join(eachPeer(r.peers, func(p *peer) error {
			err := at(ctx, p)
			var answered *client.Error
			switch {
			case err == nil:
				return nil
			case errors.Is(err, client.ErrNotFound):
				return fmt.Errorf("%s does not have it", p.name)
			case errors.Is(err, client.ErrUnreachable), errors.As(err, &answered), ctx.Err() != nil:
				return fmt.Errorf("%s %s", p.name, reason(err))
			}
			return fmt.Errorf("%s %w", p.name, err)
		})...)
	})
	if err != nil {
		return fmt.Errorf("%s is not everywhere after %v: %w", what, r.o.Within, err)
	}
	r.store.longest, r.store.tries = max(r.store.longest, took), r.store.tries+1
	return nil
}

// reads tells whether a node has a value.
func reads(key, want string) func(context.Context, *peer) error {
	return func(ctx context.Context, p *peer) error {
		e, err := p.client.KV.Get(ctx, key)
		if err == nil && string(e.Value) != want {
			return fmt.Errorf("has %q, want %q", e.Value, want)
		}
		return err
	}
}
