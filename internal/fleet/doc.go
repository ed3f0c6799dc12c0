// Package fleet runs clusters of real clawd processes and makes clients of them,
// for tests with faults. A node lives on this machine's loopback or on a host of
// a netlab network; its clients are beside it, so that faults between nodes never
// cut a client off its node.
//
// What clients are answered is noted in the fleet's Book. A Fleet is built up by
// one goroutine; nodes may then be used from several.
package fleet
