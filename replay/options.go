package replay

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/openclaw/clawd/mlrefill"
)

// ErrOptions reports a scene that makes no sense.
var ErrOptions = errors.New("replay: unusable options")

// Policies.
const (
	// Adaptive is what clawd does with a pool: guarantees by contract, the rest lent
	// out at request time, the capacity cut between nodes by forecast, and feedback.
	Adaptive = "adaptive"
	// Static is a bucket of fixed rate for each agent, in proportion to its mean
	// demand, which it was told beforehand, and tuned to StaticThrottle.
	Static = "static"
	// Split is a bucket of fixed rate for each agent: its share of the capacity.
	Split = "split"
	// Forecast is a bucket for each agent that refills by forecast every second,
	// without a pool behind it: Alone, between the rate of Split and the capacity.
	Forecast = "forecast"
	// Ideal is clairvoyant: requests are admitted whole, in order, while the backlog
	// is at most the capacity times MaxDelay.
	Ideal = "ideal"
)

// Policies lists the policies.
var Policies = []string{Adaptive, Static, Split, Forecast, Ideal}

// Placements of agents on nodes.
const (
	Sticky = "sticky" // each agent on a node of its own
	Spread = "spread" // each request on any node
)

// How a pool is cut between nodes.
const (
	PartsForecast = "forecast" // by forecast
	PartsEqual    = "equal"    // in equal parts
)

// Tick is how finely the downstream is looked at.
const Tick = 100 * time.Millisecond

// ServiceTime is what a request takes that waits for nothing.
const ServiceTime = 74 * time.Millisecond

// Patience is how long a queue may be before the downstream refuses requests.
const Patience = 2 * time.Second

// Brownout lowers the capacity to Factor of it from the second From to To.
type Brownout struct {
	From, To float64
	Factor   float64
}

// Options is the scene of a replay.
type Options struct {
	// Capacity is G, what the downstream takes, in requests a second.
	Capacity float64
	// Believed is what the limiter is told that it takes; default Capacity.
	Believed float64
	// MaxDelay is how long requests may wait in the downstream; default 500 ms.
	MaxDelay time.Duration
	// Policy is one of Policies; default Adaptive.
	Policy string
	// Nodes is how many nodes there are; default 1.
	Nodes int
	// MergeInterval is how often nodes hear of each other, a multiple of Tick;
	// default 1 s.
	MergeInterval time.Duration
	// Placement is Sticky (default) or Spread.
	Placement string
	// Parts is PartsForecast (default) or PartsEqual.
	Parts string
	// Brownouts lower the capacity for a while.
	Brownouts []Brownout
	// NoFeedback withholds from the limiter how the downstream does.
	NoFeedback bool
	// Fault breaks the model, see Faults, from a quarter of the time on.
	Fault string
	// StaticThrottle is the throttle rate that Static is tuned to; default 4.2 %.
	StaticThrottle float64
	// Seed decides placement, phases and the noise of faults.
	Seed uint64
	// Prior is where the model starts; default the one in the binary.
	Prior *mlrefill.Prior
	// Progress is told how much is done, 0..1, about every simulated minute.
	Progress func(done float64)
}

func (o Options) withDefaults() Options {
	def(&o.Believed, o.Capacity)
	def(&o.MaxDelay, 500*time.Millisecond)
	def(&o.Policy, Adaptive)
	def(&o.Nodes, 1)
	def(&o.MergeInterval, time.Second)
	def(&o.Placement, Sticky)
	def(&o.Parts, PartsForecast)
	def(&o.StaticThrottle, 0.042)
	if o.Prior == nil {
		p := mlrefill.DefaultPrior()
		o.Prior = &p
	}
	return o
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (o *Options) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
	}
	switch {
	case !(o.Capacity > 0) || o.Capacity > maxPerSecond:
		return bad("the capacity of the pool must be greater than 0 and at most %d requests a second", maxPerSecond)
	case !(o.Believed > 0) || o.Believed > maxPerSecond:
		return bad("the believed capacity must be greater than 0 and at most %d requests a second", maxPerSecond)
	case o.MaxDelay < time.Millisecond || o.MaxDelay > time.Minute:
		return bad("the queue delay must be between 1ms and 1m")
	case !slices.Contains(Policies, o.Policy):
		return bad("there is no policy %q; there are %s", o.Policy, strings.Join(Policies, ", "))
	case o.Nodes < 1 || o.Nodes > 100:
		return bad("there must be 1 to 100 nodes")
	case o.MergeInterval < Tick || o.MergeInterval%Tick != 0 || o.MergeInterval > time.Hour:
		return bad("the merge interval must be a multiple of %v", Tick)
	case o.Placement != Sticky && o.Placement != Spread:
		return bad("the placement must be %s or %s", Sticky, Spread)
	case o.Parts != PartsForecast && o.Parts != PartsEqual:
		return bad("parts must be cut by %s or %s", PartsForecast, PartsEqual)
	case o.Fault != "" && faults[o.Fault] == nil:
		return bad("there is no model fault %q; there are %s", o.Fault, strings.Join(Faults(), ", "))
	case !(o.StaticThrottle > 0 && o.StaticThrottle < 1):
		return bad("the throttle rate that static is tuned to must be between 0 and 1")
	}
	for _, b := range o.Brownouts {
		if !(b.From >= 0 && b.To > b.From && b.Factor > 0 && b.Factor <= 1) || math.IsInf(b.To, 0) {
			return bad("a brown-out needs from < to and a factor between 0 and 1")
		}
	}
	return nil
}
