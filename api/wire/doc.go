// Package wire holds the JSON shapes of clawd's HTTP interface, shared by the server (package api) and the Go client.
//
// It holds types and constants only: no validation beyond what a type's own decoding does, no I/O, no state. Every
// field is snake_case, tokens are whole tokens unless the name says otherwise, durations are integers in milliseconds
// (…_ms) or seconds (…_seconds), instants are RFC 3339 strings. The contract these types serve is api/openapi.yaml;
// a test in package api keeps the two equal.
//
// All values are plain data: safe to copy, and to share between goroutines as long as nobody writes.
package wire
