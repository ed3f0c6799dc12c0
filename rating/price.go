package rating

import (
	"errors"
	"fmt"
)

// ErrInvalidPrice is the kind of every error of Price.Validate and
// Usage.Validate.
var ErrInvalidPrice = errors.New("invalid rating input")

// FieldError names the field that is wrong.
type FieldError struct {
	Field  string // JSON name
	Reason string // completes "<field> …"
}

func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// Unwrap makes errors.Is(err, ErrInvalidPrice) hold.
func (e *FieldError) Unwrap() error { return ErrInvalidPrice }

func fieldError(field, reason string) error { return &FieldError{Field: field, Reason: reason} }

// Price is one version of what a model costs, in one currency. Prices of
// tokens are for a million of them.
type Price struct {
	// Model is a glob over the names of models ('*' any run of bytes, '?' one).
	Model    string `json:"model,omitempty"`
	Currency string `json:"currency"` // three capital letters, ISO 4217 style

	InputPerMillion  Nano `json:"input_per_million"`
	OutputPerMillion Nano `json:"output_per_million"`
	// CachedInputPerMillion is that of the input where it is not given.
	CachedInputPerMillion *Nano `json:"cached_input_per_million,omitempty"`
	// ReasoningPerMillion is that of the output where it is not given.
	ReasoningPerMillion *Nano `json:"reasoning_per_million,omitempty"`
	PerRequest          Nano  `json:"per_request,omitempty"`

	// Tiers replace the flat price of the meters that they name.
	Tiers Tiers `json:"tiers,omitzero"`

	// EffectiveFrom is the instant from which this version holds.
	EffectiveFrom UnixMS `json:"effective_from,omitzero"`
}

const (
	// MaxPrice is the highest price of a million tokens or of a request.
	MaxPrice = 1_000_000 * Unit

	maxModelLen = 128
)

// Validate reports the first field that is wrong, as a *FieldError.
func (p Price) Validate() error {
	if err := validateModel(p.Model); err != nil {
		return err
	}
	if !validCurrency(p.Currency) {
		return fieldError("currency", "must be three capital letters, such as USD")
	}
	for _, amount := range []struct {
		field string
		n     *Nano
	}{
		{"input_per_million", &p.InputPerMillion},
		{"output_per_million", &p.OutputPerMillion},
		{"cached_input_per_million", p.CachedInputPerMillion},
		{"reasoning_per_million", p.ReasoningPerMillion},
		{"per_request", &p.PerRequest},
	} {
		if amount.n != nil && !validPrice(*amount.n) {
			return fieldError(amount.field, fmt.Sprintf("must be between 0 and %v", MaxPrice))
		}
	}
	if p.EffectiveFrom < 0 || p.EffectiveFrom > maxInstant {
		return fieldError("effective_from", "must be between 1970 and 9999")
	}
	return p.Tiers.validate()
}

func validateModel(model string) error {
	if model == "" || len(model) > maxModelLen {
		return fieldError("model", fmt.Sprintf("must have 1 to %d bytes", maxModelLen))
	}
	for i := range len(model) {
		if model[i] < 0x20 || model[i] == 0x7f {
			return fieldError("model", "must not contain control characters")
		}
	}
	return nil
}

func validCurrency(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

func validPrice(n Nano) bool { return 0 <= n && n <= MaxPrice }

// flat returns the price of a meter without tiers, and for how many it is.
func (p Price) flat(m Meter) (price Nano, per uint64) {
	switch m {
	case Input:
		return p.InputPerMillion, perMillion
	case CachedInput:
		if p.CachedInputPerMillion != nil {
			return *p.CachedInputPerMillion, perMillion
		}
		return p.InputPerMillion, perMillion
	case Output:
		return p.OutputPerMillion, perMillion
	case Reasoning:
		if p.ReasoningPerMillion != nil {
			return *p.ReasoningPerMillion, perMillion
		}
		return p.OutputPerMillion, perMillion
	default:
		return p.PerRequest, 1
	}
}
