package ratelimit

import "fmt"

// Tuner says whether a pool may move its own knobs.
const (
	TunerOff    = "off"    // the default
	TunerShadow = "shadow" // tries others on the same requests, and shows what it would choose
	TunerOn     = "on"     // uses what it chooses, within its rails
)

// MaxQueueDelayMS is the longest queue a pool may allow, and DefaultQueueDelayMS
// the one it has when nothing is said.
const (
	MaxQueueDelayMS     = 60_000
	DefaultQueueDelayMS = 500
)

// Pool is a shared downstream as people write it: agents whose policies name it
// draw on one capacity.
type Pool struct {
	Name string `json:"name,omitempty"`
	// CapacityPerSecond is what the downstream takes, in tokens a second. Without
	// it the capacity is estimated from feedback, up to HardMax.
	CapacityPerSecond Decimal `json:"capacity_per_second,omitempty"`
	// MaxQueueDelayMS is how long requests may wait downstream: the knob between
	// waiting and throttling. nil = DefaultQueueDelayMS.
	MaxQueueDelayMS *int64 `json:"max_queue_delay_ms,omitempty"`
	// HardMax makes the capacity a soft one: feedback may raise the estimate above
	// it, at most to HardMax.
	HardMax Decimal `json:"hard_max,omitempty"`
	// Tuner is "", TunerOff, TunerShadow or TunerOn.
	Tuner string `json:"tuner,omitempty"`
}

// Validate reports the first field that is wrong, as a *FieldError of kind
// ErrInvalidPool.
func (p Pool) Validate() error {
	const greatest = Decimal(maxMicro)
	switch {
	case p.CapacityPerSecond == 0 && p.HardMax == 0:
		return poolError("capacity_per_second", "must be given, or hard_max to have it estimated below that")
	case p.CapacityPerSecond < 0 || p.CapacityPerSecond > greatest:
		return poolError("capacity_per_second", "must be greater than 0 and at most %v", greatest)
	case p.HardMax < 0 || p.HardMax > greatest:
		return poolError("hard_max", "must be greater than 0 and at most %v", greatest)
	case p.HardMax != 0 && p.HardMax < p.CapacityPerSecond:
		return poolError("hard_max", "must be at least capacity_per_second")
	case p.MaxQueueDelayMS != nil && (*p.MaxQueueDelayMS < 0 || *p.MaxQueueDelayMS > MaxQueueDelayMS):
		return poolError("max_queue_delay_ms", "must be between 0 and %d", MaxQueueDelayMS)
	case p.Tuner != "" && p.Tuner != TunerOff && p.Tuner != TunerShadow && p.Tuner != TunerOn:
		return poolError("tuner", "must be off, shadow or on")
	}
	return nil
}

func poolError(field, format string, args ...any) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...), kind: ErrInvalidPool}
}

// QueueDelay is MaxQueueDelayMS in seconds.
func (p *Pool) QueueDelay() float64 {
	if p.MaxQueueDelayMS == nil {
		return DefaultQueueDelayMS / 1000.0
	}
	return float64(*p.MaxQueueDelayMS) / 1000
}
