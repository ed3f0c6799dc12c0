package replica

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

func (h *host) put(key, value string) {
	h.w.t.Helper()
	if _, _, _, err := h.KVPut(h.w.now, "default", key, KVWrite{Value: []byte(value)}); err != nil {
		h.w.t.Fatal(err)
	}
}

func (h *host) incr(key string, by int64) int64 {
	h.w.t.Helper()
	n, _, err := h.KVIncrement(h.w.now, "default", key, by)
	if err != nil {
		h.w.t.Fatal(err)
	}
	return n
}

// read is the value of a key as text, "" when there is none.
func (h *host) read(key string) string {
	h.w.t.Helper()
	e, err := h.KVGet(h.w.now, "default", key)
	switch {
	case errors.Is(err, ErrNotFound):
		return ""
	case err != nil:
		h.w.t.Fatal(err)
	case e.Counter:
		return fmt.Sprint("#", e.Number)
	}
	return string(e.Value)
}

func (w *world) expectKV(key, want string) {
	w.t.Helper()
	for _, h := range w.nodes {
		if got := h.read(key); got != want {
			w.t.Errorf("node %s reads %q under %q, want %q", h.id, got, key, want)
		}
	}
}

func TestKVLastWriterWinsEverywhere(t *testing.T) {
	w := newWorld(t, 3, perHour(1000))
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	a.put("k", "from a")
	w.pass(time.Millisecond)
	b.put("k", "from b")
	w.settle()
	w.expectKV("k", "from b")
	w.now.Wall -= time.Hour.Milliseconds() // clocks went back: the next write must win all the same
	c.put("k", "from c")
	w.settle()
	w.expectKV("k", "from c")
	if _, err := a.KVDelete(w.now, "default", "k", nil); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.expectKV("k", "")
	w.sameEverywhere()
}

func TestKVExpires(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a := w.nodes[0]
	if _, _, _, err := a.KVPut(w.now, "default", "k", KVWrite{Value: []byte("v"), TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.expectKV("k", "v")
	w.pass(time.Minute)
	w.expectKV("k", "")
}

func TestKVCountersAddUp(t *testing.T) {
	w := newWorld(t, 3, perHour(1000))
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	if got := a.incr("n", 5); got != 5 {
		t.Errorf("increment answered %d, want 5", got)
	}
	b.incr("n", -7)
	c.incr("n", 1)
	w.settle()
	w.expectKV("n", "#-1")
	if _, _, _, err := a.KVPut(w.now, "default", "n", KVWrite{Value: []byte("v")}); !errors.Is(err, ErrConflict) {
		t.Errorf("put over a counter: %v", err)
	}
	if _, err := a.KVDelete(w.now, "default", "n", nil); err != nil {
		t.Fatal(err)
	}
	b.incr("n", 100) // at a node that has not heard of the deletion: void
	w.settle()
	w.expectKV("n", "")
	c.incr("n", 3)
	w.settle()
	w.expectKV("n", "#3")
	w.sameEverywhere()
	if _, _, err := a.KVIncrement(w.now, "default", "n", 1<<63-1); !errors.Is(err, ErrOverflow) {
		t.Errorf("overflow: %v", err)
	}
}

func TestKVConditionSeesThePresent(t *testing.T) {
	w := newWorld(t, 1, perHour(1000))
	h := w.nodes[0]
	h.put("k", "1")
	refuse := func(have KVEntry, found bool) error {
		if found && string(have.Value) == "1" {
			return ErrPrecondition
		}
		return nil
	}
	if _, _, _, err := h.KVPut(w.now, "default", "k", KVWrite{Value: []byte("2"), Cond: refuse}); !errors.Is(err, ErrPrecondition) {
		t.Errorf("condition: %v", err)
	}
	if got := h.read("k"); got != "1" {
		t.Errorf("a refused write changed the value to %q", got)
	}
}

func TestKVListsInOrderWithPaging(t *testing.T) {
	w := newWorld(t, 1, perHour(1000))
	h := w.nodes[0]
	var want []string
	for i := range 40 {
		key := fmt.Sprintf("p/%02d", i)
		if i%3 == 0 {
			h.incr(key, 1)
		} else {
			h.put(key, "v")
		}
		want = append(want, key)
		if i == 20 {
			h.flush()
		}
	}
	h.put("q", "other")
	var got []string
	after := ""
	for more := true; more; {
		var list []KVEntry
		var err error
		if list, more, err = h.KVList(w.now, "default", "p/", after, 7); err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			got = append(got, e.Key)
		}
		after = got[len(got)-1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v", got)
	}
}

// watcher applies what a stream delivers, as a client would.
type watcher struct {
	*Watch
	state map[string]string
}

func (h *host) watch(prefix, token string) *watcher {
	h.w.t.Helper()
	s, err := h.Watch(h.w.now, "default", prefix, token)
	if err != nil {
		h.w.t.Fatal(err)
	}
	return &watcher{Watch: s, state: make(map[string]string)}
}

func (s *watcher) drain(w *world) {
	w.t.Helper()
	for {
		b, err := s.Next(w.now)
		if err != nil {
			w.t.Fatal(err)
		}
		if b.Reset {
			clear(s.state)
		}
		for _, c := range b.Changes {
			switch {
			case c.Deleted:
				delete(s.state, c.Entry.Key)
			case c.Entry.Counter:
				s.state[c.Entry.Key] = fmt.Sprint("#", c.Entry.Number)
			default:
				s.state[c.Entry.Key] = string(c.Entry.Value)
			}
		}
		if b.Ready != nil {
			return
		}
	}
}

func TestWatchFollowsAndResumesOnAnyNode(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	a.put("w/old", "seen before")
	w.settle()
	s := a.watch("w/", "")
	a.put("w/1", "x")
	a.incr("w/n", 2)
	a.put("other", "no")
	a.flushTo(b)
	s.drain(w)
	if want := map[string]string{"w/1": "x", "w/n": "#2"}; !maps.Equal(s.state, want) {
		t.Errorf("stream brought %v, want %v", s.state, want)
	}
	token := s.Token(w.now)
	b.put("w/2", "y")
	b.incr("w/n", 1)
	if _, err := b.KVDelete(w.now, "default", "w/1", nil); err != nil {
		t.Fatal(err)
	}
	w.settle()
	b.crash()
	resumed := b.watch("w/", token) // another node, after a restart
	resumed.state = s.state
	resumed.drain(w)
	if want := map[string]string{"w/2": "y", "w/n": "#3"}; !maps.Equal(resumed.state, want) {
		t.Errorf("after the resumption %v, want %v", resumed.state, want)
	}
	if _, err := a.Watch(w.now, "default", "", "nonsense"); !errors.Is(err, ErrToken) {
		t.Errorf("bad token: %v", err)
	}
}

func TestWatchThatFellBehindCatchesUp(t *testing.T) {
	w := newWorld(t, 1, perHour(1000))
	h := w.nodes[0]
	s := h.watch("", "")
	want := make(map[string]string)
	for i := range 3 * maxFed / 100 {
		for j := range 100 {
			key := fmt.Sprint("k", (i*100+j)%2000)
			want[key] = fmt.Sprint(i)
			h.put(key, want[key])
		}
		h.flush()
	}
	s.drain(w)
	if !maps.Equal(s.state, want) {
		t.Errorf("%d keys, want %d", len(s.state), len(want))
	}
}
