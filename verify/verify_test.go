package verify

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/witness"
)

func TestUnseenIsWhatTheOthersWereAskedForWhileNewsTravel(t *testing.T) {
	limit := witness.Limit{Capacity: 3, PerSecond: 1}
	asked := func(node string, at time.Duration) witness.Answer {
		return witness.Answer{Node: node, Tokens: 1, Sent: at, Done: at}
	}
	for name, c := range map[string]struct {
		answers []witness.Answer
		want    float64
	}{
		"nobody":                  {nil, 0},
		"one node alone is exact": {[]witness.Answer{asked("a", 0), asked("a", 1), asked("a", 2)}, 0},
		"two at once":             {[]witness.Answer{asked("a", 0), asked("a", 1), asked("b", 2)}, 2},
		"old news are known":      {[]witness.Answer{asked("a", 0), asked("b", 2*time.Second)}, 0},
		"at most what a node has": {[]witness.Answer{asked("a", 0), asked("a", 1), asked("a", 2), asked("a", 3), asked("a", 4), asked("b", 5)}, 4},
		"of several others":       {[]witness.Answer{asked("a", 0), asked("b", 1), asked("c", 2)}, 2},
	} {
		if got := unseen(c.answers, limit, time.Second); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestWhatAllSayIsSaidOnce(t *testing.T) {
	peers := []*peer{{name: "a"}, {name: "b"}}
	same := errors.New("one is missing")
	for want, errs := range map[string][]error{
		"one is missing":          {same, same},
		"a: one is missing":       {same, nil},
		"a: one is missing\nb: x": {same, errors.New("x")},
	} {
		if got := sayOnce(peers, errs); got.Error() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := sayOnce(peers, []error{nil, nil}); err != nil {
		t.Error(err)
	}
}

// pair are two nodes, of which the first sees the second's clock off by so much.
func pair(t *testing.T, skew time.Duration) *run {
	t.Helper()
	r := &run{}
	for i, name := range []string{"a", "b"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(client.ClusterInfo{Self: name, Members: []client.Member{
				{Name: "a", Node: "1"}, {Name: "b", Node: "2", ClockSkewMS: int64(1-i) * skew.Milliseconds()},
			}})
		}))
		t.Cleanup(s.Close)
		c, err := client.New(s.URL, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r.peers = append(r.peers, &peer{name: name, id: []string{"1", "2"}[i], client: c})
	}
	return r
}

func TestClocksThatDifferTooMuchFail(t *testing.T) {
	for skew, want := range map[time.Duration]Status{
		0: Pass, 900 * time.Millisecond: Pass, -2 * time.Second: Note, 5100 * time.Millisecond: Fail, -time.Hour: Fail,
	} {
		r := pair(t, skew)
		r.judgeClocks(t.Context())
		if got := r.report.Checks[0]; got.Name != "clocks" || got.Status != want {
			t.Errorf("%v: %+v, want %s", skew, got, want)
		}
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	c, err := client.New("a:1", client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good := Options{Nodes: []*client.Client{c}, ID: "x"}
	if _, err := good.withDefaults(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Options){
		"no nodes":   func(o *Options) { o.Nodes = nil },
		"many nodes": func(o *Options) { o.Nodes = make([]*client.Client, MaxNodes+1) },
		"slow":       func(o *Options) { o.PerSecond = 1 },
		"fast":       func(o *Options) { o.PerSecond = MaxPerSecond + 1 },
		"long":       func(o *Options) { o.Duration = time.Hour },
		"negative":   func(o *Options) { o.Duration = -1 },
		"impatient":  func(o *Options) { o.Within = 1 },
		"no id":      func(o *Options) { o.ID = "" },
		"bad id":     func(o *Options) { o.ID = "a*" },
	} {
		o := good
		change(&o)
		if _, err := Run(t.Context(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
