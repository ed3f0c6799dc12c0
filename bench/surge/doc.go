// Command surge is the seed's experiment for real: requests of fifty agents go
// from 10 k to 30 k a second and back, through a running clawd, to a real HTTP
// downstream that takes G a second; with static buckets and with a pool. It
// prints average latency, p99, throttled requests and CPU beside G, and draws
// what was offered, admitted, forecast and refilled, and the latency, over time.
//
// Rates are divided by -scale, since generator, clawd and downstream share the
// machine; what the limiter does depends on rates only by their ratios, down to a
// few hundred a second, where the luck of arrivals begins to show.
//
// The load is open loop: a request that is due is sent, however slow the answers
// are. There are no retries. Latency is that of admitted requests from the
// question to clawd to the end of the downstream's answer.
package main
