// Package verify checks a live cluster from outside, as its users see it: do the
// nodes admit what one central bucket would, within the bound they publish, do
// they end with equal totals, and does what is written at one node arrive at the
// others.
//
// It works on temporary agents, policies and keys whose names start with a prefix
// of their own, at a stated rate and for a stated time, and removes them at the
// end, also when it is interrupted; what it could not remove it names. It touches
// nothing else and changes no setting. It knows of a cluster only what the public
// interface tells.
//
// Run may be called several times at once: each call has its own names.
package verify
