package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openclaw/clawd/node/discovery"
)

// listing is a source whose answers a test sets.
type listing struct {
	every time.Duration
	list  []string
	err   error
	asked int
}

func (l *listing) Addresses(context.Context) ([]string, error) { l.asked++; return l.list, l.err }
func (l *listing) Every() time.Duration                        { return l.every }
func (l *listing) String() string                              { return "a list" }

// crowd is a membership that only some addresses answer in.
type crowd struct {
	alive []member
	there []string
	tries [][]string
}

func (c *crowd) reachable() []member { return c.alive }

func (c *crowd) joinNow(addrs []string) (int, error) {
	c.tries = append(c.tries, slices.Clone(addrs))
	n := 0
	for _, a := range addrs {
		if slices.Contains(c.there, a) {
			c.alive = append(c.alive, member{gossip: a})
			n++
		}
	}
	if n == 0 {
		return 0, errors.New("nobody answered")
	}
	return n, nil
}

func seek(t *testing.T, c *crowd, sources ...discovery.Source) (*seeker, func()) {
	s := &seeker{
		sources: sources, members: c, self: "self:1", every: time.Second,
		now: time.Now, log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return s, func() { cancel(); <-done }
}

// pass lets d go by and everything that is due happen.
func pass(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}

func TestSeekerAsksAgainWithBackOffUntilSomebodyIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, c := &listing{every: time.Minute, err: errors.New("throttled")}, &crowd{}
		s, stop := seek(t, c, source)
		defer stop()
		pass(30 * time.Second)
		if source.asked < 4 || source.asked > 9 {
			t.Errorf("asked %d times in 30 s", source.asked)
		}
		if s.lookedUp() || len(c.tries) != 0 {
			t.Errorf("looked up %t, tried %v", s.lookedUp(), c.tries)
		}
		source.err = nil // nobody there yet, but that is known now
		pass(11 * time.Second)
		if !s.lookedUp() {
			t.Error("an empty answer is an answer")
		}
		source.list, c.there = []string{"self:1", "a:1"}, []string{"a:1"}
		pass(11 * time.Second)
		if len(c.alive) != 1 || !slices.Equal(c.tries[0], []string{"a:1"}) {
			t.Errorf("tried %v", c.tries)
		}
	})
}

func TestSeekerMeetsStrangersThoughItHasPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		still := &listing{list: []string{"x:1"}}
		source := &listing{every: 30 * time.Second, list: []string{"self:1", "a:1"}}
		c := &crowd{there: []string{"a:1", "b:1"}}
		_, stop := seek(t, c, still, source)
		defer stop()
		pass(time.Minute)
		asked := still.asked
		source.list = []string{"self:1", "a:1", "b:1", "gone:1"}
		pass(30 * time.Second)
		last := c.tries[len(c.tries)-1]
		if !slices.Equal(last, []string{"b:1", "gone:1"}) {
			t.Errorf("tried %q, want those that are not members", last)
		}
		tries := len(c.tries)
		pass(28 * time.Second)
		if len(c.tries) != tries {
			t.Errorf("tried %v: who did not answer is left alone for a while", c.tries[tries:])
		}
		pass(2 * time.Minute)
		if len(c.tries) == tries || len(c.tries) > tries+4 {
			t.Errorf("%d tries in two minutes more", len(c.tries)-tries)
		}
		if still.asked != asked {
			t.Error("what never changes was asked again")
		}
		c.alive = nil // all lost: whoever there was is tried again
		pass(2 * time.Second)
		if still.asked == asked || len(c.alive) == 0 {
			t.Error("alone, and it does not look for peers")
		}
	})
}

func TestSeekerBoundsWhatItTriesAtOnce(t *testing.T) {
	s := &seeker{members: &crowd{alive: []member{{gossip: "a:1"}}}, tried: map[string]time.Time{}}
	var many []string
	for i := range 100 {
		many = append(many, string(rune('b'+i))+":1")
	}
	if got := s.unknown(append(many, "a:1"), time.Unix(0, 0)); len(got) != strangersAtOnce || slices.Contains(got, "a:1") {
		t.Errorf("got %q", got)
	}
}
