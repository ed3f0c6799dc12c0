// Package refill is the adaptive side of a node: what buckets of policies with a
// pool or with an adaptive rate have beside them, and the loops that plan for
// them. Buckets of other policies have nothing here and pay nothing.
//
// # What a bucket has
//
// [Controller.Bind] gives a bucket its [Agent]. The caller's bucket stays what
// bounds the agent: with a pool its refill is the policy's max_rate (or the
// pool's capacity), without one it is the adaptive rate. [Agent.Take] is asked
// at each request and draws on the pool:
//
//	guaranteed   the agent's guarantee holds the tokens: down to an empty pool
//	planned      beyond it, within the rate the plan gives: down to the reserve
//	borrowed     beyond that: down to the margin above it
//
// # The loops
//
// [Controller.Tick], about once a second, takes in what was reported of the
// downstreams, sets each pool's estimate and this node's part of it, plans rates
// and publishes each by one atomic store. What it returns is to be told to the
// other nodes, durably before it leaves; what they say comes in by [Controller.Hear].
//
// # What holds
//
// The parts of a pool in use on all nodes add up to at most its capacity, under
// any delay, loss or partition (mlrefill.Ledger). Rates are between the policy's
// bounds. A forecast never raises a guarantee; a model that is not trusted plans
// what is planned without one.
//
// There is no goroutine, clock or I/O in here: instants are nanoseconds of the
// caller's monotonic clock, and nothing is durable but what the caller stores.
//
// # Locks
//
// caller's shard > Agent.mu > flock.mu and Pool.mu, which never meet. Every
// exported method is safe for concurrent use, but that Take, Observe, Renew and
// the bucket of one Agent are under the caller's lock of that bucket, and that
// there is one Tick at a time.
package refill
