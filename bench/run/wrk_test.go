package main

import (
	"strings"
	"testing"
)

const wrkOutput = `Running 2s test @ http://127.0.0.1:43455
  2 threads and 64 connections
Requests/sec:  68475.11
RESULT {"requests":136950,"duration_us":2000000,"bytes":33415800,"p50_us":700.0,"p90_us":5100.0,"p99_us":11600.0,"max_us":21100.0,"not_ok":0,"connect_errors":0,"read_errors":0,"write_errors":0,"timeouts":0}
`

func TestTheResultLineOfWrkIsRead(t *testing.T) {
	got, err := parseWrk([]byte(wrkOutput))
	if err != nil {
		t.Fatal(err)
	}
	want := wrkResult{Requests: 136950, DurationUS: 2000000, Bytes: 33415800, P50US: 700, P90US: 5100, P99US: 11600, MaxUS: 21100}
	if got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestOutputWithoutAResultIsAnError(t *testing.T) {
	for name, out := range map[string]string{
		"nothing":     "",
		"no script":   "Requests/sec:  68475.11\n",
		"cut":         strings.TrimSpace(wrkOutput)[:150],
		"no duration": `RESULT {"requests":1,"duration_us":0}`,
	} {
		if r, err := parseWrk([]byte(out)); err == nil {
			t.Errorf("%s: accepted as %+v", name, r)
		}
	}
}

func TestOnlyRealAnswersCount(t *testing.T) {
	ok := wrkResult{Requests: 1000, DurationUS: 1}
	for _, row := range []struct {
		name  string
		res   wrkResult
		taken uint64
		valid bool
	}{
		{"equal", ok, 1000, true},
		{"one in flight on each connection", ok, 1064, true},
		{"more taken than can be in flight", ok, 1065, false},
		{"answered without being taken", ok, 999, false},
		{"nothing answered", wrkResult{}, 0, false},
		{"a denial among them", wrkResult{Requests: 1000, NotOK: 1}, 1000, false},
		{"a lost connection", wrkResult{Requests: 1000, ReadErrors: 1}, 1000, false},
		{"a timeout", wrkResult{Requests: 1000, Timeouts: 1}, 1000, false},
	} {
		if err := checkReal(row.res, row.taken, wrkLoad{connections: 64, checks: 1}); (err == nil) != row.valid {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestALoadThatMissesAgentsDoesNotCount(t *testing.T) {
	l := wrkLoad{agents: 3, checks: 1}
	before := tally{byAgent: map[string]uint64{"a": 1, "b": 1, "c": 1}}
	for _, row := range []struct {
		name     string
		requests uint64
		after    map[string]uint64
		valid    bool
	}{
		{"every agent", 9, map[string]uint64{"a": 4, "b": 4, "c": 4}, true},
		{"one agent alone", 9, map[string]uint64{"a": 10, "b": 1, "c": 1}, false},
		{"too few requests to reach all", 2, map[string]uint64{"a": 3, "b": 3, "c": 1}, true},
		{"more agents than asked for", 9, map[string]uint64{"a": 3, "b": 3, "c": 3, "d": 4}, false},
		{"a server that does not tell", 9, nil, true},
	} {
		err := checkSpread(wrkResult{Requests: row.requests}, before, tally{byAgent: row.after}, l)
		if (err == nil) != row.valid {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
