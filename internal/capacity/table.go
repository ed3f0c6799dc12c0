package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// vcpus is what a t3.medium has.
const vcpus = 2

func tableOf(shapes []*shape, rounds int, d time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Commit %s, %s; %s.\n", commit(), time.Now().UTC().Format(time.DateOnly), machine())
	fmt.Fprintf(&b, "Rounds: %d, each %v a shape, interleaved; wrk with 32 connections a node on the same machine; %d agents, one token a call.\n\n", rounds, d, agents)
	b.WriteString("| processors of each | servers | decisions/s | p50 | p99 | CPU µs/decision | decisions/s ÷ no-op | CPU ÷ no-op | two whole processors a node would carry |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	var noop *shape
	for _, s := range shapes {
		if s.binary != "" {
			noop = s
		}
		limit := fmt.Sprintf("%d, shared with wrk", vcpus)
		if s.quota > 0 {
			limit = fmt.Sprintf("%.1f (credit baseline)", s.quota)
		}
		cpu := s.median(func(r round) float64 { return r.cpu })
		fmt.Fprintf(&b, "| %s | %s | %.0f | %.1f ms | %.0f ms | %.1f | %s | %s | %.0f/s |\n", limit, s.name,
			s.median(func(r round) float64 { return r.perSecond }),
			s.median(func(r round) float64 { return r.p50 }), s.median(func(r round) float64 { return r.p99 }), cpu,
			ratio(s, noop, func(r round) float64 { return r.perSecond }), ratio(s, noop, func(r round) float64 { return r.cpu }),
			float64(s.nodes)*vcpus*1e6/cpu)
	}
	b.WriteString("\nMedians over the rounds; a ratio is the median of the ratios within each round, with the smallest and the largest in brackets.\n")
	return b.String()
}

func (s *shape) median(of func(round) float64) float64 {
	var list []float64
	for _, r := range s.rounds {
		list = append(list, of(r))
	}
	return middle(list)
}

func ratio(s, noop *shape, of func(round) float64) string {
	var list []float64
	for i := range s.rounds {
		list = append(list, of(s.rounds[i])/of(noop.rounds[i]))
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", middle(list), slices.Min(list), slices.Max(list))
}

func middle(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func machine() string {
	cpu := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	if _, rest, found := strings.Cut(string(text), "model name\t: "); found {
		cpu, _, _ = strings.Cut(rest, "\n")
	}
	load, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%d cores of %s, %s, load average %s", runtime.NumCPU(), cpu, runtime.Version(), first)
}

const (
	begin = "<!-- capacity:begin -->\n"
	end   = "<!-- capacity:end -->"
)

// update puts the table between the markers of a page.
func update(page, table string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no place for the table", page)
	}
	return os.WriteFile(page, []byte(before+begin+table+end+after), 0o600)
}
