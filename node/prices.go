package node

import (
	"context"
	"fmt"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
)

// ListPrices implements api.PriceReader.
func (p public) ListPrices(_ context.Context, page api.Page) ([]wire.Price, bool, error) {
	if err := p.n.started(); err != nil {
		return nil, false, err
	}
	list := p.n.replica.Prices(page.Tenant, page.Prefix, page.After, page.Limit)
	if len(list) == 0 {
		return nil, false, nil
	}
	next := p.n.replica.Prices(page.Tenant, page.Prefix, list[len(list)-1].Model, 1)
	return list, len(next) > 0, nil
}

// PriceAt implements api.PriceReader.
func (p public) PriceAt(_ context.Context, tenant, model string, at time.Time) (wire.Price, error) {
	if err := p.n.started(); err != nil {
		return wire.Price{}, err
	}
	ms := p.n.now().Wall
	if !at.IsZero() {
		ms = at.UnixMilli()
	}
	price, ok := p.n.replica.PriceAt(tenant, model, ms)
	if !ok {
		return wire.Price{}, fmt.Errorf("price of %q: %w", model, api.ErrNotFound)
	}
	return price, nil
}

// PutPrice implements api.PriceWriter.
func (p public) PutPrice(ctx context.Context, tenant string, price wire.Price) (wire.Price, bool, error) {
	if err := p.n.started(); err != nil {
		return wire.Price{}, false, err
	}
	stored, created, wait, err := p.n.replica.PutPrice(p.n.now(), tenant, price)
	return stored, created, p.n.durably(ctx, wait, err)
}

// DeletePrice implements api.PriceWriter.
func (p public) DeletePrice(ctx context.Context, tenant, model string) error {
	if err := p.n.started(); err != nil {
		return err
	}
	wait, err := p.n.replica.DeletePrice(p.n.now(), tenant, model)
	return p.n.durably(ctx, wait, err)
}
