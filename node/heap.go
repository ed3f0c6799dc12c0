package node

import (
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// Go collects garbage when as much has piled up as lives: with a million agents
// in memory that is another 200 MB of nothing. What a node throws away does not
// depend on how many agents it holds, and the cells hold few pointers, so a
// constant amount is allowed instead. The percentage of the collector follows
// from what lives.

// The collector's percentage stays between these, however much or little lives.
const (
	leastGCPercent = 10
	mostGCPercent  = 400
)

const liveHeap = "/gc/heap/live:bytes"

// paceCollector sets the collector's percentage anew; it is called now and then.
// An operator who sets GOGC has decided.
func (n *Node) paceCollector() {
	if n.options.HeapHeadroom <= 0 || os.Getenv("GOGC") != "" {
		return
	}
	sample := []runtimemetrics.Sample{{Name: liveHeap}}
	runtimemetrics.Read(sample)
	if p := gcPercent(n.options.HeapHeadroom, int64(sample[0].Value.Uint64())); p != n.gcPercent {
		n.gcPercent = p
		debug.SetGCPercent(p)
	}
}

func gcPercent(headroom, live int64) int {
	return int(min(max(100*headroom/max(live, 1), leastGCPercent), mostGCPercent))
}
