package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openclaw/clawd/node/discovery"
)

// listing is a source whose answers a test sets. The fields are the test's
// under mu: the bubble's clock orders what happens, but the race detector does
// not know that.
type listing struct {
	every time.Duration
	mu    sync.Mutex
	list  []string
	err   error
	asked int
}

func (l *listing) Addresses(context.Context) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	return l.list, l.err
}
func (l *listing) Every() time.Duration { return l.every }
func (l *listing) String() string       { return "a list" }

func (l *listing) answers(list []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list, l.err = list, err
}

func (l *listing) times() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// crowd is a membership that only some addresses answer in, likewise.
type crowd struct {
	mu    sync.Mutex
	alive []member
	there []string
	tries [][]string
}

func (c *crowd) reachable() []member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alive
}

// met is how many members there are; attempts are what was tried for them.
func (c *crowd) met() int { return len(c.reachable()) }

func (c *crowd) attempts() [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.tries)
}

func (c *crowd) set(alive []member, there []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive, c.there = alive, there
}

func (c *crowd) joinNow(addrs []string) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
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
		if n := source.times(); n < 4 || n > 9 {
			t.Errorf("asked %d times in 30 s", n)
		}
		if s.lookedUp() || len(c.attempts()) != 0 {
			t.Errorf("looked up %t, tried %v", s.lookedUp(), c.attempts())
		}
		source.answers(nil, nil) // nobody there yet, but that is known now
		pass(11 * time.Second)
		if !s.lookedUp() {
			t.Error("an empty answer is an answer")
		}
		source.answers([]string{"self:1", "a:1"}, nil)
		c.set(nil, []string{"a:1"})
		pass(11 * time.Second)
		if c.met() != 1 || !slices.Equal(c.attempts()[0], []string{"a:1"}) {
			t.Errorf("tried %v", c.attempts())
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
		asked := still.times()
		source.answers([]string{"self:1", "a:1", "b:1", "gone:1"}, nil)
		pass(30 * time.Second)
		last := c.attempts()[len(c.attempts())-1]
		if !slices.Equal(last, []string{"b:1", "gone:1"}) {
			t.Errorf("tried %q, want those that are not members", last)
		}
		tries := len(c.attempts())
		pass(28 * time.Second)
		if now := c.attempts(); len(now) != tries {
			t.Errorf("tried %v: who did not answer is left alone for a while", now[tries:])
		}
		pass(2 * time.Minute)
		if now := len(c.attempts()); now == tries || now > tries+4 {
			t.Errorf("%d tries in two minutes more", now-tries)
		}
		if still.times() != asked {
			t.Error("what never changes was asked again")
		}
		c.set(nil, []string{"a:1", "b:1"}) // all lost: whoever there was is tried again
		pass(2 * time.Second)
		if still.times() == asked || c.met() == 0 {
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
