package api_test

import (
	"context"
	"fmt"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/rating"
)

func (d *double) ListPrices(_ context.Context, p api.Page) (list []wire.Price, more bool, err error) {
	leave, err := d.enter(false)
	defer leave()
	names, more := pageOf(keysOf(d.prices), p)
	for _, n := range names {
		list = append(list, d.prices[n])
	}
	return list, more, err
}

func (d *double) PriceAt(_ context.Context, _, model string, at time.Time) (wire.Price, error) {
	leave, err := d.enter(false)
	defer leave()
	p, ok := d.prices[model]
	if err == nil && (!ok || !at.IsZero() && at.UnixMilli() < int64(p.EffectiveFrom)) {
		err = fmt.Errorf("price of %q: %w", model, api.ErrNotFound)
	}
	return p, err
}

func (d *double) PutPrice(_ context.Context, _ string, p wire.Price) (wire.Price, bool, error) {
	leave, err := d.enter(true)
	defer leave()
	_, there := d.prices[p.Model]
	if err == nil && p.Currency != "USD" {
		err = fmt.Errorf("%w: the tenant's prices are in USD", api.ErrUnprocessable)
	}
	if err == nil {
		d.prices[p.Model] = p
	}
	return p, !there, err
}

func (d *double) DeletePrice(_ context.Context, _, model string) error {
	leave, err := d.enter(true)
	defer leave()
	if _, there := d.prices[model]; !there && err == nil {
		err = fmt.Errorf("price of %q: %w", model, api.ErrNotFound)
	}
	delete(d.prices, model)
	return err
}

// RecordUsage knows the ids it has seen, and refuses those that begin with "old".
func (d *double) RecordUsage(_ context.Context, _ string, events []wire.UsageEvent, out []api.UsageOutcome) error {
	leave, err := d.enter(true)
	defer leave()
	if err != nil {
		return err
	}
	for i := range events {
		e := &events[i]
		if e.EventID == "old" {
			out[i].Err = fmt.Errorf("%w: the event is too old", api.ErrUnprocessable)
			continue
		}
		out[i].Result = wire.UsageResult{EventID: e.EventID, Items: []wire.Item{}, Duplicate: d.events[e.EventID]}
		if p, ok := d.prices[e.Model]; ok {
			charge, err := p.Rate(e.Usage, rating.Usage{})
			if err != nil {
				return err
			}
			out[i].Result.Total, out[i].Result.Currency, out[i].Result.Items = &charge.Total, charge.Currency, charge.Items
		}
		d.events[e.EventID] = true
	}
	return nil
}

func (d *double) Statement(_ context.Context, q api.StatementQuery) (wire.Statement, error) {
	leave, err := d.enter(false)
	defer leave()
	amount := rating.Unit
	return wire.Statement{
		Agent: q.Agent, From: q.From.Format(time.DateOnly), To: q.To.Format(time.DateOnly), Currency: "USD", Total: amount,
		Items: []wire.StatementItem{{Model: "m" + q.GroupBy, Usage: rating.Usage{InputTokens: 5, Requests: 1}, Amount: &amount}},
	}, err
}
