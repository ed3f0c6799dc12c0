package replica

import (
	"testing"
	"time"
)

// A member that claims absurd consumption in a well-formed row costs an agent at
// most (C+D)/r seconds: the level is held above −D, so it is full again by then.
func TestAPoisonedRowCostsABoundedTime(t *testing.T) {
	w := newWorld(t, 2, perHour(3600)) // C = D = 3600, r = 1/s: 7200 s
	a, b := w.nodes[0], w.nodes[1]
	b.take("victim", 1)
	f := b.flush()
	for _, e := range f.Pages[0].Entries {
		if e.Row.Consumed != token {
			t.Fatalf("%+v", e)
		}
	}
	f.Pages[0].Entries[0].Row.Consumed = 1 << 60
	if !b.push(a, f.Pages[0]) {
		t.Fatal("the page was refused")
	}
	if got := a.level("victim") / token; got != -3600 {
		t.Errorf("level %d, want the floor", got)
	}
	for passed := time.Duration(0); passed < 7200*time.Second; passed += 10 * time.Second {
		w.pass(10 * time.Second)
		b.flushTo(a) // the liar goes on as if nothing had been
	}
	if got := a.level("victim") / token; got < 3599 {
		t.Errorf("level %d after (C+D)/r", got)
	}
	if !a.take("victim", 3590) {
		t.Error("the agent is refused for longer than (C+D)/r")
	}
}
