// Package accuracy measures how far a cluster of limiters is from one central
// bucket, in the world of the design's models and with the limiter's own code:
// one agent, N nodes, requests of one token that arrive by chance in ticks of
// 20 ms, each node sending its total to every peer each sync interval, 40 ms away.
// The truth is one bucket fed with everything that was admitted anywhere, the
// ideal is one bucket that is offered everything. The arrivals are those of the
// models, drawn by the same generator from the same seeds, so that the figures can
// stand beside each other.
//
// Everything is a function of its arguments: no clock, no chance from outside.
package accuracy
