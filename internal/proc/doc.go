// Package proc runs servers as real processes, for tests and benchmarks of the
// built binary. It knows nothing of clawd but that a server that is ready
// answers 200 on /readyz.
//
// A Process may be used from several goroutines. Nothing here is for product
// code.
package proc
