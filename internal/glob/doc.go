// Package glob matches names against patterns with '*' and '?', and says which
// of several patterns is a name's: exactly one, and the same on every node that
// has the same patterns, in whatever order it learnt them.
//
// Policies are chosen for agents and prices for models by it. Everything here
// is immutable once made and safe for concurrent use; nothing is durable.
package glob
