package load

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// site answers every request after a pause, and remembers who was asked for.
type site struct {
	*httptest.Server
	mu     sync.Mutex
	paths  map[string]int
	pause  func(n int) time.Duration
	status int
}

func newSite(t *testing.T) *site {
	s := &site{paths: map[string]int{}, pause: func(int) time.Duration { return 0 }, status: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.paths[r.URL.Path]++
		wait := s.pause(len(s.paths))
		s.mu.Unlock()
		if wait > 0 {
			<-time.After(wait)
		}
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, "answer")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) run(t *testing.T, o Options) *Result {
	t.Helper()
	o.Addr = s.Listener.Addr().String()
	o.Request = Agents("a", 100)
	res, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestTheRateIsKeptAndEveryAgentReached(t *testing.T) {
	s := newSite(t)
	res := s.run(t, Options{Rate: 1000, Duration: 300 * time.Millisecond, Connections: 8})
	if res.Due != 300 || res.Answered != 300 || res.Lost+res.Refused != 0 || res.Latency.Count() != 300 {
		t.Errorf("%d due, %d answered, %d refused, %d lost", res.Due, res.Answered, res.Refused, res.Lost)
	}
	if len(s.paths) != 100 {
		t.Errorf("%d agents were reached, want 100", len(s.paths))
	}
}

// A stall is charged to all requests that were due while it lasted.
func TestLatencyIsCountedFromWhenARequestWasDue(t *testing.T) {
	s := newSite(t)
	const stall = 200 * time.Millisecond
	s.pause = func(n int) time.Duration {
		if n == 20 {
			s.pause = func(int) time.Duration { return 0 }
			return stall
		}
		return 0
	}
	res := s.run(t, Options{Rate: 500, Duration: 400 * time.Millisecond, Connections: 1})
	if res.Answered != 200 {
		t.Fatalf("%d answered", res.Answered)
	}
	// Half of the requests were due while the only connection was busy.
	if p75 := res.Latency.Quantile(0.75); p75 < stall/4 {
		t.Errorf("p75 %v after a stall of %v", p75, stall)
	}
	if res.Latency.Max() < stall {
		t.Errorf("longest %v, with a stall of %v", res.Latency.Max(), stall)
	}
}

func TestOtherStatusesAreCountedApart(t *testing.T) {
	s := newSite(t)
	s.status = http.StatusTooManyRequests
	res := s.run(t, Options{Rate: 1000, Duration: 50 * time.Millisecond, Connections: 2})
	if res.Answered != 0 || res.Refused != res.Due {
		t.Errorf("%+v", res.Refused)
	}
}

func TestAServerThatGoesAwayEndsTheLoad(t *testing.T) {
	s := newSite(t)
	time.AfterFunc(100*time.Millisecond, s.CloseClientConnections)
	res := s.run(t, Options{Rate: 1000, Duration: time.Minute, Connections: 4})
	if res.Elapsed > 30*time.Second || res.Answered == 0 || res.Answered+res.Lost != res.Due {
		t.Errorf("after %v: %d due, %d answered, %d lost", res.Elapsed, res.Due, res.Answered, res.Lost)
	}
}

func TestTheContextEndsTheLoad(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if res, err := Run(ctx, Options{
		Addr: s.Listener.Addr().String(), Rate: 100, Duration: time.Minute, Connections: 1, Request: Agents("a", 10),
	}); err != nil || res.Elapsed > 10*time.Second {
		t.Error(err)
	}
}

func TestAServerThatIsNotThereIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	if _, err := Run(t.Context(), Options{Addr: addr, Rate: 1, Duration: time.Second, Connections: 1}); err == nil {
		t.Error("connected to nobody")
	}
}
