// Package node is one clawd process: it opens the store, finds its peers with
// Serf, moves pages between them, serves the two HTTP listeners and stops all
// of it again in the right order.
//
// The decisions are taken elsewhere: node/replica folds buckets and merges
// pages, node/antientropy says what a page is, storage keeps the facts. What
// is left here is everything those three must not have: goroutines, tickers,
// sockets, files, logs and metrics. The package never decides whether a call
// is admitted and never looks into a row.
//
// Concurrency: a Node is safe for concurrent use between Open and Close. Each
// goroutine belongs to the Node's group, which Close awaits.
//
// Durability: a write that promises durability (registers, the `reserve` and
// `sync` policies) returns after the fsync of the flush that carries it. All
// else is durable one FlushInterval later, see Options.FlushInterval.
package node
