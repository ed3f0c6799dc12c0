package node

import (
	"context"
	"fmt"

	"github.com/openclaw/clawd/storage"
)

// diskLoop watches the free space of the data directory. Long before Pebble
// would meet the end of the disk, which it does not survive, the node stops
// writing and goes on in memory.
func (n *Node) diskLoop(ctx context.Context) error {
	n.checkDisk()
	return every(ctx, n.options.tuning.diskInterval, n.checkDisk)
}

func (n *Node) checkDisk() {
	state, err := n.disk.Check()
	if err != nil {
		n.log.Warn("the free space of the data directory could not be looked at", "error", err)
	}
	n.metrics.diskFree.Set(float64(state.Free))
	n.metrics.diskTotal.Set(float64(state.Total))
	share := fmt.Sprintf("%d of %d MiB are free on the disk of %s", state.Free>>20, state.Total>>20, n.options.DataDir)
	low, critical := "", ""
	switch state.Level {
	case storage.DiskLow:
		low = share
	case storage.DiskCritical:
		critical = share + "; changes are kept in memory only"
	}
	n.store.SetFull(state.Level == storage.DiskCritical)
	n.health.note(reasonDisk, low)
	n.health.degrade(reasonDisk, critical)
}

// onDiskFull gives Pebble room when a write has met the end of the disk all
// the same. It runs on a goroutine of Pebble's and must return at once.
func (n *Node) onDiskFull() {
	if d := n.disk; d != nil {
		_ = d.ReleaseBallast() // the next check reports what is left
	}
}
