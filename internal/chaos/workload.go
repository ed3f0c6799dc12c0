package chaos

import (
	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/witness"
	"github.com/openclaw/clawd/ratelimit"
)

// The workload of every trial: one agent whose limit is tight, offered twice what
// it may have, shows the overshoot; an agent of each durability that is never
// denied shows what is forgotten.
const (
	tightAgent    = "tight"
	tightRate     = 50 // tokens a second, and the capacity
	usualOverload = 2  // times that rate is offered
	countedPerSec = 45 // requests, over the three agents below

	asyncAgent   = "counted-async"
	reserveAgent = "counted-reserve"
	syncAgent    = "counted-sync"

	// roomyCapacity also sets what `reserve` may count too much after a crash: 1 %.
	roomyCapacity = 1_000_000
)

var tightLimit = witness.Limit{Capacity: tightRate, PerSecond: tightRate}

func policies() []client.Policy {
	roomy := func(name string, d ratelimit.Durability) client.Policy {
		return client.Policy{Name: name, Capacity: roomyCapacity, RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(3600), Durability: d}
	}
	return []client.Policy{
		{Name: tightAgent, Capacity: tightRate, RefillRate: ratelimit.Whole(tightRate), IntervalSeconds: ratelimit.Whole(1)},
		roomy(asyncAgent, ratelimit.Async), roomy(reserveAgent, ratelimit.Reserve), roomy(syncAgent, ratelimit.Sync),
	}
}

// loads are offered to all nodes at once.
func loads(nodes []*fleet.Node, overload float64, seed uint64) []fleet.Load {
	return []fleet.Load{
		{Nodes: nodes, PerSecond: overload * tightRate, Agents: []string{tightAgent}, Seed: seed},
		{Nodes: nodes, PerSecond: countedPerSec, Agents: []string{asyncAgent, reserveAgent, syncAgent}, Seed: seed + 1},
	}
}
