package rating

import (
	"errors"
	"fmt"
)

// ErrTooMuch is returned when an amount is beyond MaxAmount.
var ErrTooMuch = errors.New("the amount of money is too large")

// Item is a line of a charge or of a bill.
type Item struct {
	Meter    Meter  `json:"meter"`
	Quantity uint64 `json:"quantity"`
	// UnitPrice is for a million tokens or for one request; nil where tiers
	// gave it more than one.
	UnitPrice *Nano `json:"unit_price,omitempty"`
	Amount    Nano  `json:"amount"`
}

// Charge is what usage costs. Total is exactly the sum of the items.
type Charge struct {
	Currency string `json:"currency"`
	Items    []Item `json:"items"`
	Total    Nano   `json:"total"`
	// Provisional tells that tiers were in play: the bill of the month is a
	// function of all its usage, and this is the part of it as known here.
	Provisional bool `json:"provisional,omitempty"`
}

// Rate prices the usage of one event; before is the usage of the same agent, model
// and month known so far, and matters to tiers only. Meters without a
// quantity give no item.
func (p Price) Rate(u, before Usage) (Charge, error) {
	charge := Charge{Currency: p.Currency, Items: []Item{}}
	for _, m := range meters {
		quantity := u.of(m)
		if quantity == 0 {
			continue
		}
		item, err := p.item(m, before.of(m), quantity)
		if err != nil {
			return Charge{}, err
		}
		charge.Items = append(charge.Items, item)
		charge.Total += item.Amount
		charge.Provisional = charge.Provisional || len(p.Tiers.of(m)) > 0
	}
	if charge.Total > MaxAmount {
		return Charge{}, fmt.Errorf("%w: %v", ErrTooMuch, charge.Total)
	}
	return charge, nil
}

// Bill prices all usage of an agent and model in a month. It is a function of the
// sums only, in whatever order and through whatever node they came.
func (p Price) Bill(sum Usage) (Charge, error) {
	charge, err := p.Rate(sum, Usage{})
	charge.Provisional = false
	return charge, err
}

func (p Price) item(m Meter, before, quantity uint64) (Item, error) {
	item := Item{Meter: m, Quantity: quantity}
	price, per := p.flat(m)
	tiers := p.Tiers.of(m)
	var ok bool
	if len(tiers) == 0 {
		item.UnitPrice = &price
		item.Amount, ok = product{}.plus(quantity, price).divided(per)
	} else {
		item.Amount, ok = step(tiers, before, before+quantity, per)
	}
	if !ok {
		return Item{}, fmt.Errorf("%w: %d of %s", ErrTooMuch, quantity, m)
	}
	return item, nil
}

// step is the difference of the rounded amounts at both ends, so that the
// steps of a month add up to its bill.
func step(tiers []Tier, from, to, per uint64) (Nano, bool) {
	low, okLow := climb(product{}, tiers, 0, from).divided(per)
	high, okHigh := climb(product{}, tiers, 0, to).divided(per)
	return high - low, okLow && okHigh
}
