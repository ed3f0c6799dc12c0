package replay

import (
	"path/filepath"
	"testing"
	"time"
)

// surgeDelay is what may wait in the worlds: where 500 ms suit requests that take
// seconds, these take 74 ms.
const surgeDelay = 50 * time.Millisecond

// recorded reads one of the committed traces.
func recorded(t testing.TB, name string) *Load {
	t.Helper()
	l, err := Source{File: filepath.Join("..", "testdata", "traces", name)}.Read()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func msmall(t testing.TB) *Load { return recorded(t, "servegen_msmall_agents_1s.csv.gz") }
func conv(t testing.TB) *Load   { return recorded(t, "azure_llm_2023_conv_1s.csv.gz") }

func generated(t testing.TB, w World) *Load {
	t.Helper()
	def(&w.Rate, 1000) // a tenth of the seed's experiment
	l, err := w.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func played(t testing.TB, l *Load, o Options) Result {
	t.Helper()
	r, err := Run(l, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: G %.0f, %s, %d nodes: throttled %.3f %%, p99 %.0f ms, overload %.2f %%, within share %.3f %%, refused %.2f %%",
		l.Name, o.Capacity, o.withDefaults().Policy, o.withDefaults().Nodes, 100*r.ThrottleRate, r.P99, 100*r.OverloadShare,
		100*r.ProtectedThrottledRate, 100*r.Errors)
	return r
}

// gap is what a policy throttles beyond the ideal, in percentage points.
func gap(t testing.TB, r Result, l *Load, o Options) float64 {
	t.Helper()
	o.Policy, o.Nodes = Ideal, 1
	return 100 * (r.ThrottleRate - played(t, l, o).ThrottleRate)
}
