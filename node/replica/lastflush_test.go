package replica

import (
	"testing"

	"github.com/openclaw/clawd/ratelimit"
)

func TestACleanStopChargesNothing(t *testing.T) {
	def := perHour(1000)
	def.Durability = ratelimit.Reserve
	w := newWorld(t, 1, def)
	h := w.nodes[0]
	h.take("a", 5)
	h.flush()
	h.take("a", 1) // under the mark, not flushed
	// One that still waits for its mark when the node stops.
	var out Outcome
	if err := h.Consume(w.now, &Request{Tenant: "default", Agent: "b", Tokens: 3 * token}, &out); err != nil || !out.Again {
		t.Fatalf("%+v, %v: want to be asked again", out, err)
	}
	f, err := h.BeginLastFlush(w.now)
	if err != nil {
		t.Fatal(err)
	}
	err = h.store.Commit(f.Batch, true)
	h.EndFlush(f, w.now, err)
	if err != nil {
		t.Fatal(err)
	}
	h.crash() // of what is already on disk
	if a, b := h.consumed("a"), h.consumed("b"); a != 6 || b != 0 {
		t.Errorf("after a clean stop %d and %d consumed, want 6 and 0", a, b)
	}
	h.take("a", 1) // and marks work again
	h.crash()
	if got := h.consumed("a"); got < 7 {
		t.Errorf("after a crash %d consumed, want at least 7", got)
	}
}
