// Package chaos breaks clusters of real clawd processes on purpose and measures
// what that costs: how far the limit was overshot against the bound the design
// states, whether anything acknowledged was forgotten, what clients noticed, and
// how long the nodes took to agree again.
//
// Each Fault runs in a trial of its own: a fresh cluster whose nodes live in
// network namespaces, under a steady load. It needs what package netlab needs;
// where that is missing it fails and says so.
package chaos
