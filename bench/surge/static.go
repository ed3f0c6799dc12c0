package main

import (
	"math"
	"time"

	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/replay"
)

// seedThrottle is the share of requests that the seed's static buckets refuse.
const seedThrottle = 0.042

// staticPolicies gives each agent a bucket of a fixed rate in proportion to what
// it usually asks for, by a factor that refuses just that share of this load.
// They are told the load beforehand, which nobody is in earnest.
func staticPolicies(l *replay.Load) []ratelimit.Policy {
	low, high := 0.5, 4.0
	for range 24 {
		k := (low + high) / 2
		if throttled(l, fixed(l, k)) > seedThrottle {
			low = k
		} else {
			high = k
		}
	}
	return fixed(l, high)
}

func fixed(l *replay.Load, factor float64) []ratelimit.Policy {
	list := make([]ratelimit.Policy, len(l.Agents))
	for i, a := range l.Agents {
		rate := a.Weight * factor
		list[i] = ratelimit.Policy{
			Name: a.Name, Capacity: int64(max(1, math.Ceil(rate))), IntervalSeconds: ratelimit.Whole(1),
			RefillRate: ratelimit.Decimal(max(rate*1e6, 1)),
		}
	}
	return list
}

// pooledPolicies give each agent its share of the pool as its guarantee.
func pooledPolicies(l *replay.Load, capacity float64) []ratelimit.Policy {
	sum := 0.0
	for _, a := range l.Agents {
		sum += a.Weight
	}
	list := fixed(l, capacity/sum)
	for i := range list {
		list[i].Pool = poolName
		list[i].Capacity = int64(math.Ceil(capacity)) // the pool bounds bursts
	}
	return list
}

// throttled is the share of the load that buckets of these policies refuse, a
// second's requests spread evenly.
func throttled(l *replay.Load, policies []ratelimit.Policy) float64 {
	limits := make([]ratelimit.Limit, len(policies))
	buckets := make([]ratelimit.Bucket, len(policies))
	for i := range policies {
		limits[i] = policies[i].Limit()
		buckets[i] = ratelimit.NewBucket(0, &limits[i], nil)
	}
	offered, refused := 0, 0
	for sec, demands := range l.Seconds {
		for _, d := range demands {
			for k := range d.Requests {
				at := int64(sec)*int64(time.Second) + int64(k)*int64(time.Second)/int64(d.Requests)
				offered++
				if !buckets[d.Agent].Admit(at, &limits[d.Agent], nil, ratelimit.Token) {
					refused++
				}
			}
		}
	}
	return float64(refused) / float64(max(offered, 1))
}
