package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/witness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	fleet.RemoveBinary()
	os.Exit(code)
}

func TestPromisesHoldThroughEveryFault(t *testing.T) {
	scale := Full
	if testing.Short() {
		scale = Short
	}
	bin, err := fleet.Binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Faults() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			r, err := Run(t.Context(), bin, t.TempDir(), f, scale)
			if err != nil {
				t.Fatal(err)
			}
			for _, what := range r.Broken() {
				t.Error(what)
			}
			if r.Logs() != "" {
				t.Log(r.Logs())
			}
			t.Logf("\n%s", Table([]Result{r}))
		})
	}
}

// The yardstick itself: each promise must be able to break.
func TestABrokenPromiseIsReported(t *testing.T) {
	good := Result{Overshoot: 10, Bound: 20, Recovered: 1}
	for what, breakIt := range map[string]func(*Result){
		"overshoot": func(r *Result) { r.Overshoot = 21 },
		"sync":      func(r *Result) { r.Forgotten = 1 },
		"async":     func(r *Result) { r.ForgottenAsync, r.MayForget = 2, 1 },
		"nobody":    func(r *Result) { r.Invented = 1 },
		"the ideal": func(r *Result) { r.Recovered = 0.5 },
		"agreed":    func(r *Result) { r.Converge = time.Minute },
		"":          func(*Result) {},
	} {
		r := good
		breakIt(&r)
		r.check()
		if what == "" && len(r.Broken()) > 0 {
			t.Errorf("nothing is wrong, but: %v", r.Broken())
		}
		if what != "" && (len(r.Broken()) != 1 || !strings.Contains(r.Broken()[0], what)) {
			t.Errorf("want one line with %q, got %v", what, r.Broken())
		}
	}
}

func TestWhatACrashMayTakeIsBounded(t *testing.T) {
	f := fleet.New("", t.TempDir())
	at := func(node string, sent time.Duration) {
		f.Book.Note(witness.Answer{Agent: asyncAgent, Node: node, Tokens: 1, Sent: sent, Done: sent, Verdict: witness.Admitted})
	}
	at("a", 0)
	at("a", time.Second)
	at("a", 1100*time.Millisecond)
	at("b", time.Second)
	trial := &trial{fleet: f, slips: []func(witness.Answer) bool{witness.AckedIn("a", 900*time.Millisecond, 1200*time.Millisecond)}}
	r := Result{counted: map[string]int64{asyncAgent: 1}}
	trial.judge(&r, Fault{}, 0, 0)
	if r.MayForget != 2 || r.ForgottenAsync != 3 {
		t.Errorf("may forget %d, forgotten %d, want 2 and 3", r.MayForget, r.ForgottenAsync)
	}
}

func TestTheTableIsWrittenBetweenItsMarkers(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("before\n"+tableBegin+"old\n"+tableEnd+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteTable(page, []Result{{Fault: "none", Nodes: 3}}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(got); !strings.HasPrefix(s, "before\n"+tableBegin+"| fault ") || !strings.HasSuffix(s, tableEnd+"\nafter\n") || strings.Contains(s, "old") {
		t.Errorf("the page is now:\n%s", s)
	}
	if err := os.WriteFile(page, []byte("no markers"), 0o600); err != nil {
		t.Fatal(err)
	}
	if WriteTable(page, nil) == nil {
		t.Error("a page without markers was written")
	}
}
