// Package mlrefill forecasts how many requests agents will offer and plans from
// that how fast their buckets refill, how much of a shared downstream each node
// may use, and how much the downstream can take.
//
// It is the pure half of adaptive refill. Everything is arithmetic on arguments:
// instants are nanoseconds of the caller's monotonic clock, chance is a seed in a
// hash, there is no goroutine, lock, clock, file or socket in it. The caller feeds
// observations and reads plans:
//
//   - [Record.Observe] for each offered request of an agent: the EWMA ladder and
//     Holt's trend, weighted by Hedge, with an adaptive-conformal P95 bound and a
//     confidence. A record is at most 128 bytes and is brought up to date when it
//     is touched, so that idle agents cost nothing. [Hot] adds recursive least
//     squares for pools and the busiest agents.
//   - [Plan], once a second: from forecasts to refill rates within
//     [guarantee, max_rate] whose sum is at most the capacity. A rate is one
//     number, to be published by one atomic store.
//   - [Lender], on each request: who may draw on the pool's bucket down to where.
//   - [Capacity.Report], once a second and pool: how much the downstream takes,
//     from queue delay and errors.
//   - [Shares] and [Parts]: how a pool's capacity is cut between nodes that learn
//     of each other late. What a node holds it can only give away, so the parts
//     add up to the capacity under any delay, loss or partition.
//
// What holds whatever is observed, be it NaN, negative or a lie: an entitlement
// (guarantee, weight) comes from the contract and never from a forecast; rates
// stay within [guarantee, max_rate] and their sum within the capacity; parts add
// up to the capacity; a model that is not trusted is not used ([Trust]).
//
// Demand is what is offered, not what is admitted: a throttled agent would look
// idle and be starved. A retry of a refused request is the same wish again; the
// caller damps it with [Damped].
//
// Nothing here is safe for concurrent use of the same value; [Model] and [Prior]
// are never changed once made and may be shared.
package mlrefill
