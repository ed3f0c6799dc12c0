package node

import (
	"context"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/rating"
)

// RecordUsage implements api.UsageRecorder.
func (p public) RecordUsage(ctx context.Context, tenant string, events []wire.UsageEvent, out []api.UsageOutcome) error {
	if err := p.n.started(); err != nil {
		return err
	}
	var last uint64
	for i := range events {
		in := &events[i]
		res, wait, err := p.n.replica.RecordUsage(p.n.now(), tenant, &replica.UsageEvent{
			ID: in.EventID, Agent: in.Agent, Model: in.Model, OccurredAt: int64(in.OccurredAt), Usage: in.Usage,
		})
		out[i] = api.UsageOutcome{Err: apiError(err)}
		if err == nil {
			out[i].Result = usageResult(in.EventID, &res)
		}
		last = max(last, wait)
	}
	return p.n.waiters.wait(ctx, last)
}

func usageResult(id string, o *replica.UsageOutcome) wire.UsageResult {
	res := wire.UsageResult{EventID: id, Items: []wire.Item{}, Duplicate: o.Duplicate, DedupeUntil: wire.Time(o.DedupeUntil)}
	if o.Priced {
		res.Total, res.Currency, res.Items, res.Provisional = &o.Charge.Total, o.Charge.Currency, o.Charge.Items, o.Charge.Provisional
		res.PriceVersion = &wire.PriceVersion{Model: o.Price.Model, EffectiveFrom: o.Price.EffectiveFrom}
	}
	return res
}

// Statement implements api.UsageReader.
func (p public) Statement(_ context.Context, q api.StatementQuery) (wire.Statement, error) {
	if err := p.n.started(); err != nil {
		return wire.Statement{}, err
	}
	from, to := statementDays(q, p.n.now().Wall)
	if to < from {
		return wire.Statement{}, api.Invalid("from", "must not be after to")
	}
	rated, err := p.n.replica.Statement(q.Tenant, q.Agent, from, to)
	if err != nil {
		return wire.Statement{}, apiError(err)
	}
	s := wire.Statement{
		Agent: q.Agent, From: dayText(from), To: dayText(to), Currency: p.n.replica.Currency(q.Tenant), Items: []wire.StatementItem{},
	}
	at := make(map[wire.StatementItem]int)
	for i := range rated {
		group := statementGroup(q.GroupBy, &rated[i])
		n, known := at[group]
		if !known {
			n, at[group] = len(s.Items), len(s.Items)
			s.Items = append(s.Items, group)
		}
		addToItem(&s, &s.Items[n], &rated[i])
	}
	return s, nil
}

func statementDays(q api.StatementQuery, wall int64) (from, to uint32) {
	to = rating.DayOf(wall)
	if !q.To.IsZero() {
		to = rating.DayOf(q.To.UnixMilli())
	}
	if !q.From.IsZero() {
		return rating.DayOf(q.From.UnixMilli()), to
	}
	return rating.MonthStart(to), to
}

// statementGroup is the item that a line is summed up in, still empty.
func statementGroup(by string, r *rating.Rated) wire.StatementItem {
	switch by {
	case api.GroupByModel:
		return wire.StatementItem{Model: r.Model}
	case api.GroupByDay:
		return wire.StatementItem{Day: dayText(r.Day)}
	default:
		return wire.StatementItem{Day: dayText(r.Day), Model: r.Model}
	}
}

func addToItem(s *wire.Statement, item *wire.StatementItem, r *rating.Rated) {
	item.Usage = item.Plus(r.Usage)
	if !r.Priced {
		s.Unpriced = true
		return
	}
	if item.Amount == nil {
		item.Amount = new(wire.Money)
	}
	*item.Amount += r.Charge.Total
	s.Total += r.Charge.Total
}

func dayText(day uint32) string {
	return time.UnixMilli(rating.DayStart(day)).UTC().Format(time.DateOnly)
}
