// Package client talks to a clawd node over its public HTTP surface.
//
// A Client asks one base URL: a node, or a load balancer in front of several.
// It is safe for concurrent use, keeps connections alive between calls and
// owns no goroutine of its own; there is nothing to close but the streams and
// bodies it hands out.
//
// # Denial is an answer
//
// Consume returns a Decision whether the tokens were granted or not, and an
// error only when no decision was reached. Callers that prefer an error for a
// denial call Decision.Err, or test any error with errors.Is(err, ErrDenied).
//
// # What is retried
//
// A call is repeated only when the repetition cannot count twice: reads after
// a lost connection, a gateway error or a node that is overloaded, and any call
// whose connection was refused, since such a call never reached the node. A
// consume whose answer got lost is not repeated: whether it was counted is
// unknown, and the caller learns that from the error.
//
// # What it never does
//
// It caches nothing, never guesses a decision when the node is out of reach
// (failing open or closed is the caller's choice) and follows no redirect to
// another host with the API key.
package client
