package verify

import (
	"fmt"
	"time"
)

// Status is how a check ended.
type Status string

// The ways a check ends.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	// Note is something to know that breaks no promise.
	Note Status = "note"
)

// Check is one thing looked at, and a sentence on what was seen.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
}

// Node is one of the nodes that are asked.
type Node struct {
	URL     string `json:"url"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

// Agent is what became of the calls for one temporary agent.
type Agent struct {
	Agent     string  `json:"agent"`
	Nodes     int     `json:"nodes"` // asked on its behalf
	Capacity  int64   `json:"capacity"`
	PerSecond float64 `json:"refill_per_second"`
	Requests  int     `json:"requests"`
	Errors    int     `json:"errors"` // requests without a decision
	Admitted  int64   `json:"admitted"`
	Ideal     int64   `json:"ideal"`     // what one central bucket admits of the same arrivals
	Overshoot float64 `json:"overshoot"` // most tokens above capacity + rate·t in any stretch of time t
	Bound     float64 `json:"bound"`     // on the overshoot
	Published int64   `json:"published"` // the largest overshoot_bound that a node told meanwhile
}

// Ratio is admitted ÷ ideal.
func (a Agent) Ratio() float64 {
	if a.Ideal == 0 {
		return 1
	}
	return float64(a.Admitted) / float64(a.Ideal)
}

// Report is what a run has found.
type Report struct {
	Passed      bool    `json:"passed"`
	Interrupted bool    `json:"interrupted,omitempty"`
	Cluster     string  `json:"cluster,omitempty"`
	Prefix      string  `json:"prefix"` // of every temporary name
	Nodes       []Node  `json:"nodes"`
	PerSecond   float64 `json:"requests_per_second"`
	DurationMS  int64   `json:"duration_ms"`
	Checks      []Check `json:"checks"`
	Agents      []Agent `json:"agents"`
	// Times until something was the same on all nodes; absent when it never was.
	PoliciesMS  *int64 `json:"policies_visible_ms,omitempty"`
	ConvergedMS *int64 `json:"converged_ms,omitempty"`
	KVVisibleMS *int64 `json:"kv_visible_ms,omitempty"` // the longest of several
	// LeftBehind names what could not be removed.
	LeftBehind []string `json:"left_behind"`
}

// Failed counts the checks that did not hold.
func (r *Report) Failed() (n int) {
	for _, c := range r.Checks {
		if c.Status == Fail {
			n++
		}
	}
	return n
}

func (r *Report) add(name string, s Status, format string, args ...any) {
	r.Checks = append(r.Checks, Check{name, s, fmt.Sprintf(format, args...)})
}

// verdict adds a check that passes when there is no complaint.
func (r *Report) verdict(name, complaint, format string, args ...any) {
	if complaint != "" {
		r.add(name, Fail, "%s", complaint)
		return
	}
	r.add(name, Pass, format, args...)
}

func millis(d time.Duration) *int64 {
	ms := d.Milliseconds()
	return &ms
}

// shown is a duration as a person reads it.
func shown(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}
