package cost

import (
	"errors"
	"fmt"
)

// Prices are AWS's list prices for us-east-1, Linux, on demand, in dollars.
type Prices struct {
	Instance    float64 // an hour
	CPUCredits  float64 // a vCPU hour above the baseline, with unlimited credits
	DiskGBMonth float64 // gp3, with the 3000 IOPS and 125 MiB/s that are part of it
	Balancer    float64 // an hour of a network load balancer
	NLCU        float64 // an hour of one of its capacity units
	ZoneGB      float64 // a GB from one zone to another: billed on both sides
}

// PricesAsOf says when the list prices were looked up.
const PricesAsOf = "November 2026, from pages stored earlier; check them before you rely on them"

// ListPrices are Prices as they are published.
func ListPrices() Prices {
	return Prices{Instance: 0.0416, CPUCredits: 0.05, DiskGBMonth: 0.08, Balancer: 0.0225, NLCU: 0.006, ZoneGB: 0.02}
}

// Validate reports everything that is wrong with p.
func (p Prices) Validate() error {
	var errs []error
	for name, v := range map[string]float64{
		"price": p.Instance, "credit price": p.CPUCredits, "disk price": p.DiskGBMonth,
		"load balancer price": p.Balancer, "capacity unit price": p.NLCU, "traffic price": p.ZoneGB,
	} {
		if !(v >= 0 && v <= 1e6) {
			errs = append(errs, fmt.Errorf("%s is %v, want 0 to 1000000 dollars", name, v))
		}
	}
	return errors.Join(errs...)
}

// The shape of a t3.medium.
const (
	VCPUs = 2
	// Baseline is the part of each vCPU that is paid with the instance; what is
	// used above it, averaged over a day, costs extra or is not to be had.
	Baseline = 0.2
)

// What a capacity unit of a network load balancer carries in an hour.
const (
	nlcuGB = 1.0
)

// Other is another way to decide as often.
type Other struct {
	Name       string  `json:"name"`
	PerMillion float64 `json:"per_million"`
	PerDay     float64 `json:"per_day"`
	Note       string  `json:"note"`
}

// others are what the same decisions cost elsewhere, by list price. front is
// what instances, the load balancer and the traffic to them cost a day.
func others(mean, front float64) []Other {
	perDay := mean * 86400 / 1e6
	// Two cache nodes (one a replica in another zone), and a service in front
	// that does the same HTTP as clawd on as many instances.
	cache := 24*2*elastiCacheHour + front
	list := []Other{
		{Name: "ElastiCache + a service of yours", PerDay: cache, Note: "2 × cache.t3.medium at $0.068/h, and instances, load balancer and traffic like clawd's; the code is yours to write"},
		{Name: "API Gateway, HTTP API, its throttling", PerDay: perDay * 1.00, Note: "$1.00 a million up to 300 million a month; limits a route, not an agent"},
		{Name: "API Gateway, REST API, usage plans", PerDay: perDay * 3.50, Note: "$3.50 a million up to 333 million a month; limits a key"},
		{Name: "a hosted Redis, billed by command", PerDay: perDay * 2 * 2.00, Note: "$0.20 for 100,000 commands, two commands a decision"},
	}
	for i := range list {
		list[i].PerMillion = list[i].PerDay / perDay
	}
	return list
}

const elastiCacheHour = 0.068
