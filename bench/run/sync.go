package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openclaw/clawd/bench/load"
	"github.com/openclaw/clawd/internal/proc"
)

// updated is how many agents change each second. Each changes once a second, so
// that nothing is coalesced and every call is a row.
const updated = 10_000

// syncCost measures what replication costs on the wire and on the processors,
// and how late peers know.
func syncCost(ctx context.Context, b *bench) (section, error) {
	s := section{Setup: fmt.Sprintf("Clusters on one machine; one node gets %d calls/s over as many agents, each of which therefore changes once a second, and pushes every flush to all others. "+
		"The formula is that of full mesh: bytes/s = (N−1)·(u·b + H/T) with u rows/s, T = 100 ms, b = 40 bytes a row and H = 300 + 12·N bytes a page.", updated)}
	s.head("nodes", "rows/s to each peer", "bytes a row and peer", "by the formula", "CPU µs a merged row", "visible on a peer p50", "p99", "longest")
	var perRow, visible, cpu float64
	for _, n := range []int{3, 5} {
		m, err := b.syncOf(ctx, n)
		if err != nil {
			return s, fmt.Errorf("%d nodes: %w", n, err)
		}
		if err := b.stopAll(); err != nil {
			return s, err
		}
		slices.Sort(m.delays)
		at := func(q float64) time.Duration { return m.delays[min(len(m.delays)-1, int(q*float64(len(m.delays))))] }
		s.row(fmt.Sprint(n), fmt.Sprintf("%.0f", m.rowsPerSecond), fmt.Sprintf("%.1f", m.bytesPerRow), fmt.Sprintf("%.1f", formula(n, m.rowsPerSecond)),
			fmt.Sprintf("%.2f", m.cpuPerRow), latency(at(0.5)), latency(at(0.99)), latency(at(1)))
		b.say("%d nodes: %.1f bytes and %.2f µs a row, visible p99 %s", n, m.bytesPerRow, m.cpuPerRow, latency(at(0.99)))
		perRow, cpu = max(perRow, m.bytesPerRow), max(cpu, m.cpuPerRow)
		visible = max(visible, at(0.99).Seconds()*1000)
	}
	merging, err := s.simulate(b)
	if err != nil {
		return s, err
	}
	s.note("Bytes are those of message bodies; HTTP adds about 150 bytes a message, that is 0.15 a row here. CPU is that of the receiving processes, storage and fsync included, beyond what they use when idle.")
	s.note("A call is visible on a peer when `GET /v1/agents/{agent}` there shows it; the time includes the call itself and asking every 5 ms.")
	s.Goals = []goal{
		atMost("bytes on the wire an updated agent and peer", perRow, 45, "%.1f"),
		atMost("CPU a merged row with storage, µs", cpu, 4, "%.2f"),
		atMost("CPU a merged row without storage, µs", merging, 1.5, "%.2f"),
		atMost("visible on the peers at 10,000 updated agents/s, p99 ms", visible, 300, "%.0f"),
	}
	return s, nil
}

// formula is what full mesh costs in bytes a row and peer.
func formula(nodes int, rowsPerSecond float64) float64 {
	return 40 + (300+12*float64(nodes))/interval.Seconds()/rowsPerSecond
}

// simulate adds what replicas cost that exchange their messages in this process,
// and returns the CPU a merged row without storage.
func (s *section) simulate(b *bench) (merging float64, err error) {
	for _, sim := range []struct{ nodes, agents, ticks int }{{3, 1000, 20}, {50, 20, 5}} {
		m, err := meshOf(sim.nodes, sim.agents, sim.ticks)
		if err != nil {
			return 0, fmt.Errorf("%d simulated nodes: %w", sim.nodes, err)
		}
		each := float64(sim.agents) / interval.Seconds()
		cpu := float64(m.merging.Nanoseconds()) / 1000 / m.rows
		s.row(fmt.Sprintf("%d, simulated: each node changes %.0f rows/s", sim.nodes, each), fmt.Sprintf("%.0f", each), fmt.Sprintf("%.1f", m.bytes/m.rows),
			fmt.Sprintf("%.1f", formula(sim.nodes, each)), fmt.Sprintf("%.2f without storage", cpu), "–", "–", "–")
		b.say("%d simulated nodes: %.1f bytes and %.2f µs a row", sim.nodes, m.bytes/m.rows, cpu)
		if merging == 0 {
			merging = cpu // of pages that are full, as in the goal
		}
	}
	s.note("Simulated nodes are replicas in one process with their stores in memory, in virtual time; their messages are real ([bench/run/mesh.go](../bench/run/mesh.go)).")
	s.note("Rows are sent whenever they change. A significance filter (a row goes out when 1 %% of the capacity is pending, below a quarter of it, or after 5 s) would, by its formula " +
		"min(1/T, q/εC) + 1/5 s, send at most 0.2 rows/s of such an agent instead of 1. It is not part of clawd: a page that leaves out a row is not complete, and peers would take its silence for rest.")
	return merging, nil
}

// syncMeasure is what a cluster of one size costs.
type syncMeasure struct {
	rowsPerSecond, bytesPerRow, cpuPerRow float64
	delays                                []time.Duration
}

func (b *bench) syncOf(ctx context.Context, n int) (m syncMeasure, err error) {
	nodes, err := b.startNodes(ctx, n)
	if err != nil {
		return m, err
	}
	if err := converge(ctx, nodes); err != nil {
		return m, err
	}
	const warm, costly, probed = 2 * time.Second, 6 * time.Second, 8 * time.Second
	if err := b.update(ctx, nodes[0], warm); err != nil {
		return m, err
	}
	var peers []*proc.Process
	for _, p := range nodes[1:] {
		peers = append(peers, p.proc)
	}
	if err := settle(ctx, peers); err != nil {
		return m, err
	}
	idle, err := meterSync(ctx, nodes, peers, func() error { return pause(ctx, 2*time.Second) })
	if err != nil {
		return m, err
	}
	busy, err := meterSync(ctx, nodes, peers, func() error { return b.update(ctx, nodes[0], costly) })
	if err != nil {
		return m, err
	}
	m.rowsPerSecond = busy.rows / float64(n-1) / costly.Seconds()
	m.bytesPerRow = busy.bytes / busy.rows
	m.cpuPerRow = (busy.cpu.Seconds() - idle.cpu.Seconds()*busy.took.Seconds()/idle.took.Seconds()) * 1e6 / busy.rows

	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	delays := make(chan []time.Duration, 1)
	go func() { delays <- probe(probing, nodes) }()
	err = b.update(ctx, nodes[0], probed)
	cancel()
	m.delays = <-delays
	if err == nil && len(m.delays) < 50 {
		err = fmt.Errorf("only %d calls became visible on the peers", len(m.delays))
	}
	return m, err
}

// update has so many agents of n change each second.
func (b *bench) update(ctx context.Context, n *node, d time.Duration) error {
	res, err := load.Run(ctx, load.Options{
		Addr: strings.TrimPrefix(n.url, "http://"), Rate: updated, Duration: d, Connections: b.connections, Request: load.Agents(fullAgents, updated),
	})
	if err == nil && res.Answered < res.Due*99/100 {
		err = fmt.Errorf("of %d calls only %d were answered", res.Due, res.Answered)
	}
	return err
}

// syncMeter is what went from the first node to the others in a while.
type syncMeter struct {
	bytes, rows float64
	cpu, took   time.Duration
}

// meterSync measures what happens while fn runs, with what it leaves behind.
func meterSync(ctx context.Context, nodes []*node, peers []*proc.Process, fn func() error) (m syncMeter, err error) {
	read := func(sign float64) error {
		sent, err := nodes[0].metric(ctx, "clawd_push_bytes_total")
		if err != nil {
			return err
		}
		m.bytes += sign * sent
		for _, p := range nodes[1:] {
			rows, err := p.metric(ctx, "clawd_merge_rows_total")
			if err != nil {
				return err
			}
			m.rows += sign * rows
		}
		used, err := cpuOf(peers)
		m.cpu += time.Duration(sign) * used
		return err
	}
	if err := read(-1); err != nil {
		return m, err
	}
	began := time.Now()
	if err := fn(); err != nil {
		return m, err
	}
	if err := settle(ctx, peers); err != nil {
		return m, err
	}
	m.took = time.Since(began)
	return m, read(1)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// probe makes calls at the first node and looks for each on all others, until
// ctx ends. It returns how long each took to be seen on each.
func probe(ctx context.Context, nodes []*node) []time.Duration {
	const probers = 2
	var (
		mu     sync.Mutex
		delays []time.Duration
		group  sync.WaitGroup
	)
	for i := range probers {
		agent := fmt.Sprintf("probe-%d", i)
		group.Go(func() {
			for call := uint64(1); ctx.Err() == nil; call++ {
				began := time.Now()
				if _, err := nodes[0].Agents.Consume(ctx, agent, 1); err != nil {
					return
				}
				var seen sync.WaitGroup
				for _, n := range nodes[1:] {
					seen.Go(func() {
						if n.await(ctx, agent, call) {
							mu.Lock()
							delays = append(delays, time.Since(began))
							mu.Unlock()
						}
					})
				}
				seen.Wait()
			}
		})
	}
	group.Wait()
	return delays
}

// await asks until agent has consumed so much.
func (n *node) await(ctx context.Context, agent string, consumed uint64) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if got, err := n.consumedBy(ctx, agent); err == nil && got >= consumed {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}
