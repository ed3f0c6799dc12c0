// Package front serves the few hottest calls of an HTTP/1.1 server straight
// from the connection, and everything else by the net/http server behind it.
//
// It understands a strict subset of HTTP/1.1: one well-formed request with a
// short head and a short body of stated length, for a call that its [Hot]
// knows. Whatever is unusual (another call, chunked bodies, Expect, Upgrade, a
// malformed line, a head or body that is too long, an answer that needs the
// general path) is not judged here: the connection goes to net/http, together
// with the bytes already read, and stays there for good. So a request has the
// same answer whichever way it takes, and there is one implementation of
// HTTP's hard parts, not two.
//
// A [Server] owns its connections until it has handed them over, and waits for
// them when it is stopped.
package front
