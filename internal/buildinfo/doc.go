// Package buildinfo tells which build of clawd is running: for the verb version,
// the log line at start, the member list and the metrics.
//
// What the toolchain records in every binary is enough for a build from a module
// or a checkout. A release build knows better and sets both by name:
//
//	go build -ldflags '-X github.com/openclaw/clawd/internal/buildinfo.version=v1.2.3
//	  -X github.com/openclaw/clawd/internal/buildinfo.commit=0123456789ab' ./cmd/clawd
//
// Nothing changes after the start of the process; all calls are safe for
// concurrent use.
package buildinfo
