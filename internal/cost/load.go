package cost

import (
	"errors"
	"fmt"
	"math"
)

// What was measured of clawd. The commands that repeat it are in docs/cost.md.
const (
	// CPUMicros is processor time of a node for one consume, from the socket to
	// the disk: `make bench`, docs/performance.md.
	CPUMicros = 17.0
	// RequestBytes is what a consume and its answer are in HTTP, on a connection
	// that is kept: 150 there, 325 back (curl -w '%{size_request} …').
	RequestBytes = 475.0
	// RowBytes is what a changed row is on the wire to one peer: `make demo`.
	RowBytes = 40.0
	// FlushSeconds is how often changed rows are pushed: an agent that is busy
	// is one row a flush and node, however many calls that were.
	FlushSeconds = 0.1
)

// Load is what a cluster has to carry. Zero fields of the lower half mean the
// constants above.
type Load struct {
	RPS        float64 // decisions a second, averaged over the day
	Surge      float64 // decisions a second at the busiest moment
	SurgeHours float64 // of a day at which it is that busy
	Zones      int
	Agents     float64 // that are busy at the same time
	DiskGB     float64 // a node's volume
	Headroom   float64 // part of the processors that stays free at the surge, 0..1

	CPUMicros    float64
	RequestBytes float64
	RowBytes     float64
}

// WithDefaults fills what was left out.
func (l Load) WithDefaults() Load {
	orDefault(&l.Surge, l.RPS)
	orDefault(&l.SurgeHours, 1)
	orDefault(&l.Agents, 10_000)
	orDefault(&l.DiskGB, 20)
	orDefault(&l.Headroom, 0.4)
	orDefault(&l.CPUMicros, CPUMicros)
	orDefault(&l.RequestBytes, RequestBytes)
	orDefault(&l.RowBytes, RowBytes)
	if l.Zones == 0 {
		l.Zones = 3
	}
	return l
}

func orDefault(field *float64, value float64) {
	if *field == 0 {
		*field = value
	}
}

// Validate reports everything that is wrong with l.
func (l Load) Validate() error {
	var errs []error
	within := func(name string, v, low, high float64) {
		if math.IsNaN(v) || v < low || v > high {
			errs = append(errs, fmt.Errorf("%s is %v, want %v to %v", name, v, low, high))
		}
	}
	within("rps", l.RPS, 0.001, 1e8)
	within("surge", l.Surge, l.RPS, 1e8)
	within("surge-hours", l.SurgeHours, 0, 24)
	within("zones", float64(l.Zones), 1, 6)
	within("agents", l.Agents, 1, 1e12)
	within("disk-gb", l.DiskGB, 1, 16_384)
	within("headroom", l.Headroom, 0, 0.95)
	within("cpu-us", l.CPUMicros, 0.001, 10_000)
	within("request-bytes", l.RequestBytes, 1, 1e9)
	within("row-bytes", l.RowBytes, 1, 1e6)
	return errors.Join(errs...)
}

// Mean is decisions a second over the whole day, surge included: RPS holds
// outside of the surge.
func (l Load) Mean() float64 {
	return (l.RPS*(24-l.SurgeHours) + l.Surge*l.SurgeHours) / 24
}
