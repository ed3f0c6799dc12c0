package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const million = 1_000_000

// agents gives a node a million agents and looks at its memory, its speed, how
// it restarts, and how a fresh node joins it.
func agents(ctx context.Context, b *bench) (section, error) {
	s := section{}
	few, err := b.startNodes(ctx, 1)
	if err != nil {
		return s, err
	}
	many, err := b.startNodes(ctx, 1)
	if err != nil {
		return s, err
	}
	n := many[0]
	began := time.Now()
	if err := n.meet(ctx, fullAgents, million); err != nil {
		return s, err
	}
	b.say("a million agents met in %s", time.Since(began).Round(time.Millisecond))
	r, err := b.rounds(ctx, []*target{b.uniform("few", few[0], b.agents), b.uniform("many", n, million)}, max(3, b.options.rounds-2))
	if err != nil {
		return s, err
	}
	rss, err := residentBytes(n.proc.PID())
	if err != nil {
		return s, err
	}
	b.say("resident %.0f MB", rss/1e6)
	again, err := n.restart(ctx)
	if err != nil {
		return s, err
	}
	b.say("restarted in %s", again.Round(time.Millisecond))
	joined, err := n.joinedBy(ctx)
	if err != nil {
		return s, err
	}
	b.say("a fresh node joined in %s", joined.Round(time.Millisecond))

	s.Setup = fmt.Sprintf("Two nodes with default settings, one with %d agents, one with 1,000,000, loaded in turn about agents drawn at random. %s.", b.agents, r)
	s.head("agents", "requests/s", "CPU µs/request", "requests/s ÷ few", "CPU ÷ few", "p99")
	for _, t := range []struct{ name, label string }{{"few", fmt.Sprint(b.agents)}, {"many", "1,000,000"}} {
		s.row(t.label, fmt.Sprintf("%.0f", r.median(t.name, sample.perSecond)), fmt.Sprintf("%.2f", r.median(t.name, sample.cpuPerRequest)),
			spread(r.ratios(t.name, "few", sample.perSecond)), spread(r.ratios(t.name, "few", sample.cpuPerRequest)), micros(r.median(t.name, sample.p99)))
	}
	s.note("Resident memory after the load, all of the million in memory: %.0f MB. Restart on the same data (SIGKILL to ready): %s. "+
		"An empty node that joins has all of them and is ready after %s.", rss/1e6, latency(again), latency(joined))
	s.note("With 10,000 agents a call is more likely to be about an agent that is to be flushed anyway; with a million nearly every call makes a row to write.")
	s.Goals = []goal{
		atLeast("1,000,000 agents at random: requests/s ÷ 10,000 agents", median(r.ratios("many", "few", sample.perSecond)), 0.7, "%.2f"),
		atMost("resident memory with 1,000,000 agents, MB", rss/1e6, 450, "%.0f"),
		atMost("restart with 1,000,000 agents, s", again.Seconds(), 3, "%.1f"),
		atMost("1,000,000 rows to a fresh node, s", joined.Seconds(), 15, "%.1f"),
	}
	return s, nil
}

// uniform draws agents at random. Totals are counted by the node: a listing of
// a million each time would take longer than the load.
func (b *bench) uniform(name string, n *node, count int) *target {
	t := b.target(name, name, n)
	t.load.script, t.load.agents = "uniform", count
	t.answered = n.admitted
	return t
}

// residentBytes is the memory of a process that is in RAM.
func residentBytes(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseResident(status)
}

func parseResident(status []byte) (float64, error) {
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), "VmRSS:"); found {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kb * 1024, err
		}
	}
	return 0, errors.New("a process without VmRSS")
}

// restart kills n and tells how long it takes to be ready again.
func (n *node) restart(ctx context.Context) (time.Duration, error) {
	if err := n.proc.Kill(); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := n.start(ctx); err != nil {
		return 0, err
	}
	took := time.Since(began)
	return took, n.knows(ctx, million)
}

// joinedBy starts an empty node beside n and tells how long it takes to be ready
// with everything n knows.
func (n *node) joinedBy(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	fresh, err := n.b.newNode("fresh", n.gossip)
	if err != nil {
		return 0, err
	}
	if err := fresh.start(ctx); err != nil {
		return 0, err
	}
	took := time.Since(began)
	return took, fresh.knows(ctx, million)
}

// knows looks at some of count agents, each of which has consumed something.
func (n *node) knows(ctx context.Context, count int) error {
	for i := 0; i < count; i += count / 50 {
		consumed, err := n.consumedBy(ctx, fmt.Sprintf("%s-%05d", fullAgents, i))
		if err != nil {
			return err
		}
		if consumed == 0 {
			return fmt.Errorf("agent %d is unknown to %s, which is ready", i, n.url)
		}
	}
	return nil
}

// consumedBy is what n says an agent has consumed.
func (n *node) consumedBy(ctx context.Context, agent string) (uint64, error) {
	text, err := get(ctx, n.url+"/v1/agents/"+agent)
	if err != nil {
		return 0, err
	}
	var a struct {
		Consumed uint64 `json:"consumed"`
	}
	err = json.Unmarshal(text, &a)
	return a.Consumed, err
}
