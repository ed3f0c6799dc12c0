package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/witness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	RemoveBinary()
	os.Exit(code)
}

// counting is a node that allows two of three requests.
func counting(t *testing.T) (f *Fleet, n *Node) {
	t.Helper()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		allowed := asked.Add(1)%3 != 0
		if !allowed {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		fmt.Fprintf(w, `{"allowed":%v}`, allowed)
	}))
	t.Cleanup(s.Close)
	f = New("", t.TempDir())
	n, err := f.add(here{}, "a", [3]string{strings.TrimPrefix(s.URL, "http://")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f, n
}

func TestEveryRequestIsInTheBook(t *testing.T) {
	f, n := counting(t)
	for range 9 {
		f.Ask(t.Context(), n, "x", 2)
	}
	s := witness.Sum(f.Book.Answers(witness.Of("x")))
	if s.Requests != 9 || s.Admitted != 12 || s.Denied != 6 || s.Errors != 0 {
		t.Errorf("%+v", s)
	}
}

func TestALoadEndsWithItsContextAndIsBounded(t *testing.T) {
	f, n := counting(t)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	f.Offer(ctx, Load{Nodes: []*Node{n}, PerSecond: 100, Agents: []string{"x", "y"}, Seed: 1})
	for _, agent := range []string{"x", "y"} {
		if got := witness.Sum(f.Book.Answers(witness.Of(agent))).Requests; got == 0 || got > 100 {
			t.Errorf("%d requests for %s in half a second of 50 a second", got, agent)
		}
	}
}

func TestWhatNeverHoldsIsReportedWithItsReason(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	missing := errors.New("one row is missing")
	if err := Until(ctx, func(context.Context) error { return missing }); !errors.Is(err, missing) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
