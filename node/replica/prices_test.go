package replica

import (
	"errors"
	"testing"
	"time"

	"github.com/openclaw/clawd/rating"
)

func inputPrice(model string, amount rating.Nano) rating.Price {
	return rating.Price{Model: model, Currency: "USD", InputPerMillion: amount}
}

func TestPricesAreFrozen(t *testing.T) {
	w := newWorld(t, 1, perHour(100))
	a := w.nodes[0]
	put := func(p rating.Price, want error) {
		t.Helper()
		if _, _, _, err := a.PutPrice(w.now, "default", p); !errors.Is(err, want) {
			t.Errorf("%s from %d: %v, want %v", p.Model, int64(p.EffectiveFrom)-w.now.Wall, err, want)
		}
	}
	past, future := rating.UnixMS(w.now.Wall-1000), rating.UnixMS(w.now.Wall+1000)
	old := inputPrice("gpt-4", usd)
	old.EffectiveFrom = past
	put(old, nil) // nothing had a price
	put(old, nil) // the same again
	changed := old
	changed.InputPerMillion = 2 * usd
	put(changed, ErrPriceFrozen)
	earlier := old
	earlier.EffectiveFrom--
	put(earlier, ErrPriceFrozen)
	all := inputPrice("*", usd)
	all.EffectiveFrom = past
	put(all, ErrPriceFrozen) // what it matches may have a price
	next := inputPrice("gpt-4", 3*usd)
	next.EffectiveFrom = future
	put(next, nil)
	next.InputPerMillion = 4 * usd
	put(next, nil) // not in force yet
	euro := inputPrice("other", usd)
	euro.Currency = "EUR"
	put(euro, ErrCurrency)

	if list := a.Prices("default", "", "", 10); len(list) != 2 || list[1].InputPerMillion != 4*usd {
		t.Errorf("%+v", list)
	}
	if _, err := a.DeletePrice(w.now, "default", "gpt-4"); err != nil {
		t.Error(err)
	}
	if _, err := a.DeletePrice(w.now, "default", "gpt-4"); !errors.Is(err, ErrPriceFrozen) {
		t.Errorf("deleting what is in force: %v", err)
	}
	if _, err := a.DeletePrice(w.now, "default", "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleting what is not there: %v", err)
	}
}

// Prices survive a restart and reach the peers, each tenant has its own, and
// what had no price is priced once there is one.
func TestPricesAreReplicated(t *testing.T) {
	w := newWorld(t, 2, perHour(100))
	a, b := w.nodes[0], w.nodes[1]
	w.pass(time.Second)
	e := w.event("early")
	if out := b.bill(e); out.Priced {
		t.Errorf("priced without a price: %+v", out)
	}
	p := inputPrice("gpt-4", 5*usd)
	p.EffectiveFrom = rating.UnixMS(w.now.Wall - 500)
	a.price(p)
	w.settle()
	for _, h := range w.nodes {
		h.crash()
	}
	w.settle()
	for _, h := range w.nodes {
		day := rating.DayOf(w.now.Wall)
		rated, err := h.Statement("default", "bot", day, day)
		if err != nil || len(rated) != 1 || !rated[0].Priced || rated[0].Charge.Total != 5_000_000 {
			t.Errorf("%s bills %+v, %v", h.id, rated, err)
		}
		if list := h.Prices("other", "", "", 10); len(list) != 0 {
			t.Errorf("another tenant sees %+v", list)
		}
	}
}
