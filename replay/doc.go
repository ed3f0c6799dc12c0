// Package replay runs recorded or generated requests in virtual time through
// the real limiter (ratelimit) and the real refill code (mlrefill) in front of a
// simulated downstream, and reckons what a policy is worth: how much it
// throttled, how long requests took, how often the downstream was overloaded.
//
// A [Load] is what is offered, [Options] the scene, [Run] plays it. Nothing here
// reads a clock; the same load, options and seed give the same [Result] bit for
// bit. Seconds of a recording are all it knows: a second's requests are spread
// evenly over it.
//
// The downstream is one FIFO queue with a capacity in requests a second, which a
// brown-out lowers. A request that waits for nothing takes [ServiceTime]. There
// are no retries.
//
// Values are not safe for concurrent use; a Load is only read by Run.
package replay
