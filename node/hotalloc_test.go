//go:build !race

// The race detector makes pools forget what is put into them, so allocations
// are counted without it: `make unit` runs this file.

package node

import "testing"

// TestTheHotPathAllocatesNothing counts the allocations of the whole process,
// from socket to socket.
func TestTheHotPathAllocatesNothing(t *testing.T) {
	c := hotNode(t)
	i := 0
	measure := func(what string, requests [][]byte, status string) {
		t.Helper()
		run := func() {
			got := c.ask(requests[i%len(requests)])
			if string(got) != status {
				t.Fatalf("%s: status %s, want %s", what, got, status)
			}
			i++
		}
		for range len(requests) + 10 { // every bucket is known, every pool filled
			run()
		}
		// What the node does in the background counts too, a flush above all, but
		// not each time.
		least := testing.AllocsPerRun(200, run)
		for range 5 {
			least = min(least, testing.AllocsPerRun(200, run))
		}
		if least > 0 {
			t.Errorf("%s: %v allocations a request", what, least)
		}
	}
	full, fullBatch := hotRequests("full")
	empty, emptyBatch := hotRequests("empty")
	for _, r := range empty {
		c.ask(r) // takes the only token there is
	}
	measure("grants", full, "200")
	measure("denials", empty, "429")
	measure("a batch of grants", [][]byte{fullBatch}, "200")
	measure("a batch of denials", [][]byte{emptyBatch}, "200")
}
