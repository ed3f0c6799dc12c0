// Package e2e tests clawd as an operator meets it: the built binary as real
// processes on real sockets and disks, with clients that remember what they were
// answered. Under -short the loads and repetitions are smaller; nothing is left
// out.
package e2e
