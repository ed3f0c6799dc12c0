package verify

import (
	"errors"
	"fmt"
	"time"

	"github.com/openclaw/clawd/client"
)

// ErrOptions is the kind of every error of an Options value that makes no sense.
var ErrOptions = errors.New("invalid options")

// Options say what to check, and how hard.
type Options struct {
	// Nodes are clients of the nodes of one cluster, each node once. They should
	// repeat nothing (MaxRetries -1): an answer that had to be asked for twice is
	// something to report.
	Nodes []*client.Client
	// PerSecond is the rate of consume calls over all nodes together, at most
	// MaxPerSecond. What is read beside them is about as many a second as
	// ReadsPerSecond tells. Default DefaultPerSecond.
	PerSecond float64
	// Duration is how long the calls go on, at most MaxDuration. Default
	// DefaultDuration.
	Duration time.Duration
	// Within is how long anything may take to arrive at all nodes. Default
	// DefaultWithin.
	Within time.Duration
	// ID tells runs apart; it is part of every temporary name. Lower case letters
	// and digits; required.
	ID string
	// Seed is of the arrivals.
	Seed uint64
	// Begin, if given, is told before anything is written what will happen.
	Begin func(Report)
	// Progress, if given, is told how much of the time has passed, 0..1.
	Progress func(done float64)
}

// Bounds and defaults of Options.
const (
	MaxNodes         = 64
	DefaultPerSecond = 60
	MinPerSecond     = 4
	MaxPerSecond     = 2000
	DefaultDuration  = 10 * time.Second
	MinDuration      = time.Second
	MaxDuration      = 10 * time.Minute
	DefaultWithin    = 10 * time.Second
)

func (o Options) withDefaults() (Options, error) {
	if o.PerSecond == 0 {
		o.PerSecond = DefaultPerSecond
	}
	if o.Duration == 0 {
		o.Duration = DefaultDuration
	}
	if o.Within == 0 {
		o.Within = DefaultWithin
	}
	if o.Begin == nil {
		o.Begin = func(Report) {}
	}
	if o.Progress == nil {
		o.Progress = func(float64) {}
	}
	return o, o.validate()
}

func (o Options) validate() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
	}
	switch {
	case len(o.Nodes) == 0:
		return wrong("name the nodes to check")
	case len(o.Nodes) > MaxNodes:
		return wrong("%d nodes are too many: check %d at most", len(o.Nodes), MaxNodes)
	case !(o.PerSecond >= MinPerSecond && o.PerSecond <= MaxPerSecond):
		return wrong("the rate is %v requests a second, it must be between %d and %d", o.PerSecond, MinPerSecond, MaxPerSecond)
	case o.Duration < MinDuration || o.Duration > MaxDuration:
		return wrong("the duration is %v, it must be between %v and %v", o.Duration, MinDuration, MaxDuration)
	case o.Within < time.Second || o.Within > MaxDuration:
		return wrong("the time to converge is %v, it must be between %v and %v", o.Within, time.Second, MaxDuration)
	case !plainID(o.ID):
		return wrong("the id %q must be 1 to 32 lower case letters and digits", o.ID)
	}
	return nil
}

func plainID(id string) bool {
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return id != "" && len(id) <= 32
}

// ReadsPerSecond is about how many reads a run of this many nodes makes beside its
// consume calls, each second.
func ReadsPerSecond(nodes int) int { return nodes * int(time.Second/lookEvery) }
