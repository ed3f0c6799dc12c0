// Package ratelimit decides whether an agent may spend tokens now.
//
// It holds the pure arithmetic of the product: what a policy means, how a
// token bucket refills, and how one node folds the consumption of its peers
// into its own view of that bucket. Only facts (who consumed how much) are
// replicated between nodes; the level of a bucket is folded locally from them
// by [Bucket], and two nodes may differ by what they have not yet heard.
//
// The package never reads a clock, starts a goroutine, does I/O, allocates on
// the way of an admission, or learns how a fact travelled. Instants are
// arguments: now is nanoseconds of this node's monotonic clock and must be
// positive; its origin should be the start of the process.
//
// Tokens inside the arithmetic are micro-tokens (µtok): 1 token is [Token] µtok.
// A [Policy] speaks of whole tokens, a [Limit] and a [Bucket] of µtok.
//
// [Policy], [Limit], [Table] and [Decision] are values that are never changed
// once made and may be shared. A [Bucket] is not safe for concurrent use: the
// caller holds the lock of its shard. The atomic fields of a [Peer] may be
// written while buckets are being read.
//
// Nothing is durable here. A [Checkpoint] is what the caller has to keep to
// bring a bucket back with [Restore].
package ratelimit
