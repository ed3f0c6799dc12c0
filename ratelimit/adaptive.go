package ratelimit

import "time"

// What a policy says of adaptive refill. Without any of it a bucket refills at
// the policy's rate, always.

// Adaptive reports whether the rate of the policy's buckets may move, or depends
// on a pool.
func (p *Policy) Adaptive() bool { return p.Pool != "" || p.MinRate != 0 || p.MaxRate != 0 }

// StaticRate is RefillRate over IntervalSeconds, in tokens a second.
func (p *Policy) StaticRate() float64 {
	return float64(p.RefillRate) / float64(p.IntervalSeconds)
}

// GuaranteedRate is what the contract promises of a pool, in tokens a second.
func (p *Policy) GuaranteedRate() float64 {
	if p.Guarantee != nil {
		return p.Guarantee.Float()
	}
	if p.MaxRate != 0 {
		return min(p.StaticRate(), p.MaxRate.Float())
	}
	return p.StaticRate()
}

// SpareWeight is the share of a pool's spare, beside those of the other agents.
func (p *Policy) SpareWeight() float64 {
	if p.Weight != 0 {
		return p.Weight.Float()
	}
	return max(p.GuaranteedRate(), float64(1)/Token)
}

// LeastRate is what an adaptive rate never falls below, in tokens a second.
func (p *Policy) LeastRate() float64 {
	switch {
	case p.MinRate != 0:
		return p.MinRate.Float()
	case p.Pool != "":
		return 0
	}
	return p.StaticRate()
}

// MostRate is what an adaptive rate never exceeds, in tokens a second; 0 is no
// bound of the policy's own, which only a policy with a pool can have.
func (p *Policy) MostRate() float64 {
	switch {
	case p.MaxRate != 0:
		return p.MaxRate.Float()
	case p.Pool != "":
		return 0
	}
	return p.StaticRate()
}

// Float is d as a float.
func (d Decimal) Float() float64 { return float64(d) / decimalOne }

// WithRate is the limit with another refill, in tokens a second: at least a µtok
// a second, and at most what a policy may say.
func (l Limit) WithRate(tokens float64) Limit {
	micro := min(max(tokens*Token, 1), maxMicro) // a NaN is the least, too
	if !(tokens > 0) {
		micro = 1
	}
	num, den := uint64(micro), uint64(time.Second)
	g := gcd(num, den)
	l.RateNum, l.RateDen = num/g, den/g
	return l
}

// maxNamedPool is the length of a pool's name.
const maxNamedPool = 128

func (p Policy) validateAdaptive() error {
	const greatest = Decimal(maxMicro)
	static := p.StaticRate()
	switch {
	case len(p.Pool) > maxNamedPool || !withoutControls(p.Pool):
		return fieldError("pool", "must be a name of at most %d bytes without control characters", maxNamedPool)
	case p.Guarantee != nil && p.Pool == "":
		return fieldError("guarantee", "is of a pool, and the policy names none")
	case p.Weight != 0 && p.Pool == "":
		return fieldError("weight", "is of a pool, and the policy names none")
	case p.Guarantee != nil && (*p.Guarantee < 0 || *p.Guarantee > greatest):
		return fieldError("guarantee", "must be between 0 and %v tokens a second", greatest)
	case p.Weight < 0 || p.Weight > greatest:
		return fieldError("weight", "must be greater than 0 and at most %v", greatest)
	case p.MinRate < 0 || p.MinRate > greatest:
		return fieldError("min_rate", "must be greater than 0 and at most %v tokens a second", greatest)
	case p.MaxRate < 0 || p.MaxRate > greatest:
		return fieldError("max_rate", "must be greater than 0 and at most %v tokens a second", greatest)
	case p.MaxRate != 0 && p.MinRate > p.MaxRate:
		return fieldError("min_rate", "must be at most max_rate")
	case p.Guarantee != nil && p.MaxRate != 0 && *p.Guarantee > p.MaxRate:
		return fieldError("guarantee", "must be at most max_rate")
	case p.Pool == "" && p.MinRate.Float() > static:
		return fieldError("min_rate", "must be at most the policy's own rate, %g tokens a second", static)
	case p.Pool == "" && p.MaxRate != 0 && p.MaxRate.Float() < static*(1-1e-9):
		return fieldError("max_rate", "must be at least the policy's own rate, %g tokens a second", static)
	}
	return nil
}

func withoutControls(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return true
}
