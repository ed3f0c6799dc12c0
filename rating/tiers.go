package rating

import "fmt"

// Tier is the price up to a quantity.
type Tier struct {
	// UpTo is the last quantity at this price; 0 means without end.
	UpTo  uint64 `json:"up_to,omitempty"`
	Price Nano   `json:"price"`
}

// Tiers are graduated prices: each quantity is billed at the price of the tier
// that it falls in, so that using more never makes a bill smaller. What moves an
// agent through them is its own usage of the calendar month (UTC). Prices are
// for a million tokens, or for one request.
type Tiers struct {
	Input       []Tier `json:"input,omitempty"`
	CachedInput []Tier `json:"cached_input,omitempty"`
	Output      []Tier `json:"output,omitempty"`
	Reasoning   []Tier `json:"reasoning,omitempty"`
	Requests    []Tier `json:"requests,omitempty"`
}

const maxTiers = 16

// IsZero reports whether no meter has tiers.
func (t Tiers) IsZero() bool {
	for _, m := range meters {
		if len(t.of(m)) > 0 {
			return false
		}
	}
	return true
}

func (t Tiers) of(m Meter) []Tier {
	switch m {
	case Input:
		return t.Input
	case CachedInput:
		return t.CachedInput
	case Output:
		return t.Output
	case Reasoning:
		return t.Reasoning
	default:
		return t.Requests
	}
}

func (t Tiers) validate() error {
	for _, m := range meters {
		if err := validateLadder(fmt.Sprintf("tiers.%s", m), t.of(m)); err != nil {
			return err
		}
	}
	return nil
}

func validateLadder(field string, tiers []Tier) error {
	if len(tiers) > maxTiers {
		return fieldError(field, fmt.Sprintf("must have at most %d tiers", maxTiers))
	}
	var below uint64
	for i, tier := range tiers {
		last := i == len(tiers)-1
		switch {
		case !validPrice(tier.Price):
			return fieldError(fmt.Sprintf("%s[%d].price", field, i), fmt.Sprintf("must be between 0 and %v", MaxPrice))
		case last && tier.UpTo != 0:
			return fieldError(fmt.Sprintf("%s[%d].up_to", field, i), "must be left out: the last tier has no end")
		case !last && tier.UpTo <= below:
			return fieldError(fmt.Sprintf("%s[%d].up_to", field, i), fmt.Sprintf("must be greater than %d", below))
		}
		below = tier.UpTo
	}
	return nil
}

// climb adds what the quantities from..to (from exclusive) cost in the tiers.
func climb(p product, tiers []Tier, from, to uint64) product {
	for _, tier := range tiers {
		if from >= to {
			return p
		}
		end := to
		if tier.UpTo != 0 {
			end = min(to, tier.UpTo)
		}
		if end > from {
			p = p.plus(end-from, tier.Price)
			from = end
		}
	}
	return p
}
