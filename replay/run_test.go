package replay

import (
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/trace"
)

func load(t *testing.T, name string) *Load {
	tr, err := trace.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := FromTrace(name, tr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const (
	conv   = "../testdata/traces/azure_llm_2023_conv_1s.csv.gz"
	msmall = "../testdata/traces/servegen_msmall_agents_1s.csv.gz"
	code   = "/work/shared/traces/azure_llm_2023_code_1s.csv.gz"
)

func show(t *testing.T, name string, l *Load, o Options) {
	t0 := time.Now()
	r, err := Run(l, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%-28s %-9s thr %6.3f%% p99 %5.0f over %5.2f%% prot %6.3f%% err %.2f%%  (%v)", name, o.Policy, 100*r.ThrottleRate, r.P99, 100*r.OverloadShare, 100*r.ProtectedThrottledRate, 100*r.Errors, time.Since(t0).Round(time.Millisecond))
}

func TestOne(t *testing.T) {
	for _, g := range []float64{2800, 3200} {
		for _, few := range []bool{false, true} {
			l, err := World{Name: "surge", Rate: 1000, Few: few}.Generate()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range Policies {
				show(t, "surge", l, Options{Capacity: g, Policy: p, MaxDelay: 50 * time.Millisecond})
			}
		}
	}
	for _, f := range []string{conv, msmall, code} {
		l := load(t, f)
		for _, g := range []float64{l.Quantile(.97), l.Mean() * 1.02} {
			for _, p := range Policies {
				show(t, f[len(f)-20:], l, Options{Capacity: g, Policy: p})
			}
		}
	}
}
