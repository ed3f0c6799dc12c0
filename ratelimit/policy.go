package ratelimit

import (
	"errors"
	"fmt"
	"math/bits"
)

const (
	// Token is one token in µtok.
	Token = 1_000_000

	// maxMicro is the greatest capacity, floor, rate per second and interval
	// (in µtok and µs). With 2^53 the sum of a few of them stays far from the
	// end of an int64 and a float64 still holds each of them exactly.
	maxMicro = 1 << 53

	// MaxTokens is the greatest capacity and the greatest floor of a policy.
	MaxTokens = maxMicro / Token

	maxMatchLen = 128
)

// The kinds of the errors of Policy.Validate and Pool.Validate.
var (
	ErrInvalidPolicy = errors.New("invalid policy")
	ErrInvalidPool   = errors.New("invalid pool")
)

// FieldError names the field of a policy or a pool that is wrong.
type FieldError struct {
	Field  string // JSON name
	Reason string // completes "<field> …"
	kind   error  // nil = ErrInvalidPolicy
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%v: %s %s", e.Unwrap(), e.Field, e.Reason)
}

// Unwrap is what kind of thing is wrong.
func (e *FieldError) Unwrap() error {
	if e.kind != nil {
		return e.kind
	}
	return ErrInvalidPolicy
}

// Durability says what may be forgotten by a crash.
type Durability string

const (
	// Async forgets at most the last flush interval of local consumption.
	Async Durability = "async"
	// Reserve never forgets consumption, and may count a little too much.
	Reserve Durability = "reserve"
	// Sync answers after the consumption is on disk.
	Sync Durability = "sync"
)

// MinorityHold is the value of Policy.Minority that keeps the share of a
// silent peer for ever instead of letting go of it after HoldMax.
const MinorityHold = "hold"

// Policy is a limit as people write it: whole tokens, a rate per interval.
type Policy struct {
	Name string `json:"name,omitempty"`
	// Match is a glob over agent names ('*' any run of bytes, '?' one byte).
	// Without it the policy is for the agent that is called like the policy.
	Match string `json:"match,omitempty"`
	// Capacity is the burst in tokens, 1 .. MaxTokens.
	Capacity int64 `json:"capacity"`
	// RefillRate is how many tokens come back in IntervalSeconds.
	RefillRate      Decimal `json:"refill_rate"`
	IntervalSeconds Decimal `json:"interval_seconds"`
	// Durability defaults to Async.
	Durability Durability `json:"durability,omitempty"`
	// Floor is the greatest debt in tokens; default Capacity, 0 forgives all.
	Floor *int64 `json:"floor,omitempty"`
	// AllowInline lets a request bring its own policy; default true.
	AllowInline *bool `json:"allow_inline,omitempty"`
	// Minority is "" or MinorityHold.
	Minority string `json:"minority,omitempty"`

	// Pool names the shared capacity that the policy's agents draw on. The bucket
	// then bounds a burst and, with MaxRate, the agent; the pool decides the rest.
	Pool string `json:"pool,omitempty"`
	// Guarantee is what an agent has of the pool whatever the others do, in tokens
	// a second; default RefillRate/IntervalSeconds.
	Guarantee *Decimal `json:"guarantee,omitempty"`
	// Weight is the agent's share of what is spare; default the guarantee.
	Weight Decimal `json:"weight,omitempty"`
	// MinRate and MaxRate bound an adaptive rate, in tokens a second. Without a
	// pool they default to the policy's own rate.
	MinRate Decimal `json:"min_rate,omitempty"`
	MaxRate Decimal `json:"max_rate,omitempty"`
}

// Validate reports the first field that is wrong, as a *FieldError.
func (p Policy) Validate() error {
	switch {
	case p.Capacity < 1 || p.Capacity > MaxTokens:
		return fieldError("capacity", "must be between 1 and %d", int64(MaxTokens))
	case p.RefillRate <= 0 || p.RefillRate > maxMicro:
		return fieldError("refill_rate", "must be greater than 0 and at most %v", Decimal(maxMicro))
	case p.IntervalSeconds <= 0 || p.IntervalSeconds > maxMicro:
		return fieldError("interval_seconds", "must be greater than 0 and at most %v", Decimal(maxMicro))
	case !plausibleRate(uint64(p.RefillRate), uint64(p.IntervalSeconds)):
		return fieldError("refill_rate", "must be at most %d tokens a second", int64(MaxTokens))
	case p.Durability != "" && p.Durability != Async && p.Durability != Reserve && p.Durability != Sync:
		return fieldError("durability", "must be async, reserve or sync")
	case p.Floor != nil && (*p.Floor < 0 || *p.Floor > MaxTokens):
		return fieldError("floor", "must be between 0 and %d", int64(MaxTokens))
	case p.Minority != "" && p.Minority != MinorityHold:
		return fieldError("minority", "must be empty or %q", MinorityHold)
	}
	if err := p.validateAdaptive(); err != nil {
		return err
	}
	return validateMatch(p.Match)
}

func fieldError(field, format string, args ...any) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// plausibleRate bounds num/den, both in millionths, to maxMicro µtok a second:
// num·10^6/den ≤ 2^53.
func plausibleRate(num, den uint64) bool {
	hi, lo := bits.Mul64(num, Token)
	limitHi, limitLo := bits.Mul64(den, maxMicro)
	return hi < limitHi || hi == limitHi && lo <= limitLo
}

func validateMatch(match string) error {
	if len(match) > maxMatchLen {
		return fieldError("match", "must be at most %d bytes", maxMatchLen)
	}
	if !withoutControls(match) {
		return fieldError("match", "must not contain control characters")
	}
	return nil
}

// InlineAllowed reports whether a request may bring its own policy.
func (p Policy) InlineAllowed() bool { return p.AllowInline == nil || *p.AllowInline }

// Limit compiles a valid policy.
//
// A rate of R tokens per I seconds, both in millionths, is R µtok per I µs, so
// R/(I·1000) µtok per ns: an exact fraction, reduced so that equal rates are
// equal values.
func (p Policy) Limit() Limit {
	num, den := uint64(p.RefillRate), uint64(p.IntervalSeconds)*1000
	g := gcd(num, den)
	l := Limit{
		Capacity:    p.Capacity * Token,
		Floor:       p.Capacity * Token,
		RateNum:     num / g,
		RateDen:     den / g,
		Durability:  p.Durability,
		HoldForever: p.Minority == MinorityHold,
	}
	if p.Floor != nil {
		l.Floor = *p.Floor * Token
	}
	if l.Durability == "" {
		l.Durability = Async
	}
	return l
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
