package rating

import "fmt"

// Meter is what a price can be asked for.
type Meter string

// The meters, as line items name them. A token is billed under one meter only.
const (
	Input       Meter = "input"        // tokens read that no cache served
	CachedInput Meter = "cached_input" // tokens read from a cache
	Output      Meter = "output"       // tokens written, but for the reasoning
	Reasoning   Meter = "reasoning"    // tokens written that were not shown
	Requests    Meter = "requests"     // calls
)

// meters in the order in which items are listed.
var meters = [...]Meter{Input, CachedInput, Output, Reasoning, Requests}

// MaxQuantity bounds each quantity of one event.
const MaxQuantity = 1_000_000_000_000

// Usage is what one call, or any sum of calls, used. As in the answers of the
// common model APIs cached tokens are part of the input, and reasoning tokens
// part of the output.
type Usage struct {
	InputTokens       uint64 `json:"input_tokens"`
	CachedInputTokens uint64 `json:"cached_input_tokens,omitempty"`
	OutputTokens      uint64 `json:"output_tokens"`
	ReasoningTokens   uint64 `json:"reasoning_tokens,omitempty"`
	Requests          uint64 `json:"requests,omitempty"`
}

// Validate reports the first quantity of an event that is wrong, as a
// *FieldError.
func (u Usage) Validate() error {
	for _, q := range []struct {
		field string
		n     uint64
	}{
		{"input_tokens", u.InputTokens},
		{"cached_input_tokens", u.CachedInputTokens},
		{"output_tokens", u.OutputTokens},
		{"reasoning_tokens", u.ReasoningTokens},
		{"requests", u.Requests},
	} {
		if q.n > MaxQuantity {
			return fieldError(q.field, fmt.Sprintf("must be at most %d", int64(MaxQuantity)))
		}
	}
	switch {
	case u.CachedInputTokens > u.InputTokens:
		return fieldError("cached_input_tokens", "must be at most input_tokens, which they are part of")
	case u.ReasoningTokens > u.OutputTokens:
		return fieldError("reasoning_tokens", "must be at most output_tokens, which they are part of")
	}
	return nil
}

// Plus returns the usage of both.
func (u Usage) Plus(o Usage) Usage {
	return Usage{
		InputTokens:       u.InputTokens + o.InputTokens,
		CachedInputTokens: u.CachedInputTokens + o.CachedInputTokens,
		OutputTokens:      u.OutputTokens + o.OutputTokens,
		ReasoningTokens:   u.ReasoningTokens + o.ReasoningTokens,
		Requests:          u.Requests + o.Requests,
	}
}

// of returns the quantity under a meter. A sum of which not all parts are known
// yet may have more of a part than of the whole; it then has none of the rest.
func (u Usage) of(m Meter) uint64 {
	switch m {
	case Input:
		return u.InputTokens - min(u.CachedInputTokens, u.InputTokens)
	case CachedInput:
		return u.CachedInputTokens
	case Output:
		return u.OutputTokens - min(u.ReasoningTokens, u.OutputTokens)
	case Reasoning:
		return u.ReasoningTokens
	default:
		return u.Requests
	}
}
