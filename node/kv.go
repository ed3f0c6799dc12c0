package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/node/replica"
)

// GetKey implements api.KVReader.
func (p public) GetKey(_ context.Context, tenant, key string) (api.Record, error) {
	if err := p.n.started(); err != nil {
		return api.Record{}, err
	}
	e, err := p.n.replica.KVGet(p.n.now(), tenant, key)
	if err != nil {
		return api.Record{}, apiError(err)
	}
	return recordOf(&e), nil
}

func recordOf(e *replica.KVEntry) api.Record {
	r := api.Record{
		Key: e.Key, Counter: e.Counter, Number: e.Number,
		Value: e.Value, ContentType: e.ContentType, ExpiresAt: e.ExpiresAt,
	}
	if !e.Counter {
		r.Version = versionText(e.Version)
	}
	return r
}

// ListKeys implements api.KVReader.
func (p public) ListKeys(_ context.Context, page api.Page, values bool) ([]api.Listed, bool, error) {
	if err := p.n.started(); err != nil {
		return nil, false, err
	}
	list, more, err := p.n.replica.KVList(p.n.now(), page.Tenant, page.Prefix, page.After, page.Limit)
	if err != nil {
		return nil, false, apiError(err)
	}
	out := make([]api.Listed, 0, len(list))
	size := 0
	for i := range list {
		l := api.Listed{Record: recordOf(&list[i]), Size: len(list[i].Value)}
		if !values {
			l.Value = nil
		}
		out = append(out, l)
		size += l.Size
		if page.MaxBytes > 0 && size > page.MaxBytes {
			return out, more || i+1 < len(list), nil
		}
	}
	return out, more, nil
}

// PutKey implements api.KVWriter.
func (p public) PutKey(ctx context.Context, put api.Put) (api.Written, error) {
	if err := p.n.started(); err != nil {
		return api.Written{}, err
	}
	w, wait, err := p.n.putKey(put)
	if err := p.n.durably(ctx, wait, err); err != nil {
		return api.Written{}, err
	}
	return w, nil
}

func (n *Node) putKey(put api.Put) (api.Written, uint64, error) {
	e, created, wait, err := n.replica.KVPut(n.now(), put.Tenant, put.Key, replica.KVWrite{
		Value: put.Value, ContentType: put.ContentType, TTL: put.TTL, Cond: condition(put.Cond),
	})
	return api.Written{Version: versionText(e.Version), Created: created}, wait, err
}

// condition makes the api's condition one on the replica's entries.
func condition(c api.Condition) func(replica.KVEntry, bool) error {
	if c.Match == nil && c.NoneMatch == nil {
		return nil
	}
	return func(have replica.KVEntry, found bool) error {
		version := ""
		if !have.Counter {
			version = versionText(have.Version)
		}
		return c.Check(found, version)
	}
}

// DeleteKey implements api.KVWriter.
func (p public) DeleteKey(ctx context.Context, tenant, key string, cond api.Condition) error {
	if err := p.n.started(); err != nil {
		return err
	}
	wait, err := p.n.replica.KVDelete(p.n.now(), tenant, key, condition(cond))
	return p.n.durably(ctx, wait, err)
}

// IncrementKey implements api.KVWriter.
func (p public) IncrementKey(ctx context.Context, tenant, key string, by int64) (int64, error) {
	if err := p.n.started(); err != nil {
		return 0, err
	}
	value, wait, err := p.n.increment(tenant, key, by)
	if err := p.n.durably(ctx, wait, err); err != nil {
		return 0, err
	}
	return value, nil
}

func (n *Node) increment(tenant, key string, by int64) (int64, uint64, error) {
	value, wait, err := n.replica.KVIncrement(n.now(), tenant, key, by)
	if errors.Is(err, replica.ErrOverflow) {
		err = api.Invalid("by", "takes the counter out of range")
	}
	return value, wait, err
}

// BatchKeys implements api.KVBatcher.
func (p public) BatchKeys(ctx context.Context, tenant string, ops []api.Operation, out []api.Outcome) error {
	if err := p.n.started(); err != nil {
		return err
	}
	var last uint64
	for i := range ops {
		wait, err := p.n.apply(tenant, &ops[i], &out[i])
		out[i].Err = apiError(err)
		last = max(last, wait)
	}
	return p.n.waiters.wait(ctx, last)
}

// apply does one operation of a batch, without waiting for the disk.
func (n *Node) apply(tenant string, op *api.Operation, out *api.Outcome) (wait uint64, err error) {
	switch op.Op {
	case wire.OpGet:
		var e replica.KVEntry
		if e, err = n.replica.KVGet(n.now(), tenant, op.Put.Key); err == nil {
			out.Record = recordOf(&e)
		}
	case wire.OpPut:
		op.Put.Tenant = tenant
		out.Written, wait, err = n.putKey(op.Put)
	case wire.OpDelete:
		wait, err = n.replica.KVDelete(n.now(), tenant, op.Put.Key, condition(op.Put.Cond))
	case wire.OpIncrement:
		out.Record = api.Record{Key: op.Put.Key, Counter: true}
		out.Record.Number, wait, err = n.increment(tenant, op.Put.Key, op.By)
	default:
		err = fmt.Errorf("%w: unknown operation %q", api.ErrInvalid, op.Op)
	}
	return wait, err
}
