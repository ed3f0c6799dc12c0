// Package api is clawd's HTTP interface: it parses a request, calls a small interface, and writes the answer.
//
// It owns the routes, the contract (openapi.yaml), the JSON types (package wire), the kinds of error its interfaces
// may return and the one table from kind to status. It never learns how facts are stored or replicated: bodies between
// peers go through as bytes, and everything it asks of the rest of clawd is declared in backend.go, one to three
// methods at a time.
//
// NewPublic and NewPeer build two http.Handlers, for the two listeners. Both are safe for concurrent use. They start
// no goroutine and own nothing that needs closing; open change streams end with their request's context or with
// Options.Stopping. What is durable when an answer is sent is the backend's promise, method by method.
package api
