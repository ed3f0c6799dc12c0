package replica

import (
	"io"

	"github.com/openclaw/clawd/storage"
)

// WriteSnapshot streams everything an empty node needs to begin as this
// replica's equal, from one synced view: cells with their totals and
// checkpoints, registers, runs, index and vectors belong together, so all of
// them come from one donor.
func (r *Replica) WriteSnapshot(w io.Writer) error {
	view, err := r.synced.acquire(r.store)
	if err != nil {
		return err
	}
	defer view.release()
	return storage.Export(view.View, w)
}
