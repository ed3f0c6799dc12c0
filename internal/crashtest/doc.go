// Package crashtest takes the disk away under real replicas on the real store:
// between any two stages of a flush, at any file operation, and by faults of
// every kind. What is left is opened as a new run and held against an account
// of what clients were answered and of every row that was ever written.
//
// There is only test code here. The short form runs with the other tests; the
// long one is the same with more schedules:
//
//	go test ./internal/crashtest -schedules 1000 -timeout 0
//
// A schedule is one goroutine drawing from one seed, but Pebble works on
// goroutines of its own: a crash at a random file operation does not always
// fall on the same one again.
package crashtest
