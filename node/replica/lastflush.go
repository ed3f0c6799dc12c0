package replica

import "github.com/openclaw/clawd/storage"

// BeginLastFlush is BeginFlush for a clean stop: nothing is admitted after it.
// Everything consumed is in its rows, so that the marks of `reserve` protect
// nothing any more; left behind, they would charge the next start for
// consumption that never was. They go in the same batch: a stop that does not
// get that far is a crash.
//
// The error tells that some marks may stay; the flush is complete without them.
func (r *Replica) BeginLastFlush(now Instant) (*Flush, error) {
	f := r.BeginFlush(now)
	for i := range f.captures {
		for _, raised := range f.captures[i].marks {
			f.Batch.DeleteHighWater(raised.cell.key())
		}
	}
	err := r.store.HighWaters(func(key string, _ storage.HighWater) bool {
		f.Batch.DeleteHighWater(key)
		return true
	})
	return f, err
}
