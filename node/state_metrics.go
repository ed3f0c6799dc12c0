package node

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/storage"
)

// stateCollector shows what the replica, the store and the node's health count
// of themselves, as of the scrape.
type stateCollector struct {
	n       *Node
	numbers []number

	degraded, lag, staleness, skew *prometheus.Desc
}

// number is one series without labels.
type number struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*sample) float64
}

// sample is what one scrape reads.
type sample struct {
	replica   replica.Stats
	store     storage.Metrics
	overshoot int64 // µtok
	memory    bool  // the last flush was refused
}

func counterOf(name, help string, value func(*sample) float64) number {
	return number{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, value}
}

func gaugeOf(name, help string, value func(*sample) float64) number {
	return number{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, value}
}

func (n *Node) registerState() error {
	c := &stateCollector{
		n:         n,
		numbers:   append(replicaNumbers(), storeNumbers()...),
		degraded:  prometheus.NewDesc("clawd_node_degraded", "1 while the node answers less well for this reason.", []string{"reason"}, nil),
		lag:       prometheus.NewDesc("clawd_peer_lag_rows", "Changes of this node that the peer has not acknowledged.", []string{"peer"}, nil),
		staleness: prometheus.NewDesc("clawd_peer_staleness_seconds", "Time since all of the peer's rows were last known.", []string{"peer"}, nil),
		skew:      prometheus.NewDesc("clawd_peer_clock_skew_seconds", "The peer's clock minus this node's.", []string{"peer"}, nil),
	}
	if err := n.registry.Register(c); err != nil {
		return err
	}
	if err := n.registry.Register(newRefillCollector(n)); err != nil {
		return err
	}
	if n.top == nil {
		return nil
	}
	return n.registry.Register(newTopCollector(n.top, n.options.TopAgents))
}

func replicaNumbers() []number {
	return []number{
		gaugeOf("clawd_replica_hot_cells", "Buckets and counters in memory.", func(s *sample) float64 { return float64(s.replica.Hot) }),
		gaugeOf("clawd_replica_dirty_cells", "Buckets and counters waiting for a flush.", func(s *sample) float64 { return float64(s.replica.Dirty) }),
		gaugeOf("clawd_replica_staleness_seconds", "Age of the oldest silence of a peer that is expected to consume.", func(s *sample) float64 { return s.replica.Staleness.Seconds() }),
		gaugeOf("clawd_replica_overshoot_bound_tokens", "Most tokens peers may have admitted unseen, over the busiest agents here.", func(s *sample) float64 { return float64(s.overshoot) / microTokens }),
		gaugeOf("clawd_durability_degraded", "1 while changes are kept in memory only.", func(s *sample) float64 { return oneIf(s.memory) }),
		counterOf("clawd_replica_recovered_tokens_total", "Tokens charged at the start for what a crash may have forgotten.", func(s *sample) float64 { return float64(s.replica.Recovered) / microTokens }),
		counterOf("clawd_merge_pages_total", "Pages of peers that were merged.", func(s *sample) float64 { return float64(s.replica.Pages) }),
		counterOf("clawd_merge_rows_total", "Merged rows that were news.", func(s *sample) float64 { return float64(s.replica.Rows) }),
		counterOf("clawd_merge_registers_total", "Registers written here or merged that were news.", func(s *sample) float64 { return float64(s.replica.Registers) }),
		counterOf("clawd_merge_echoes_total", "Pages that claim more of this run than it wrote: a forgery.", func(s *sample) float64 { return float64(s.replica.Echoes) }),
		counterOf("clawd_replica_births_total", "Own rows that began a new generation after idling.", func(s *sample) float64 { return float64(s.replica.Births) }),
		counterOf("clawd_replica_collected_rows_total", "Idle rows and rows of dead runs that were dropped.", func(s *sample) float64 { return float64(s.replica.Collected) }),
		counterOf("clawd_replica_evicted_cells_total", "Cells put out of memory to make room.", func(s *sample) float64 { return float64(s.replica.Evicted) }),
		counterOf("clawd_usage_events_total", "Usage events that were billed here.", func(s *sample) float64 { return float64(s.replica.UsageEvents) }),
		counterOf("clawd_usage_duplicates_total", "Usage events that had been billed before.", func(s *sample) float64 { return float64(s.replica.UsageDuplicates) }),
		counterOf("clawd_usage_conflicts_total", "Usage events refused since their id was billed with other contents.", func(s *sample) float64 { return float64(s.replica.UsageConflicts) }),
		counterOf("clawd_usage_corrections_total", "Bills taken back or put again, since another node had billed the event, too.", func(s *sample) float64 { return float64(s.replica.UsageCorrected) }),
		counterOf("clawd_replica_released_shares_total", "Shares of failed peers this side has taken over.", func(s *sample) float64 { return float64(s.replica.Releases) }),
		counterOf("clawd_replica_unreadable_registers_total", "Registers this version cannot read.", func(s *sample) float64 { return float64(s.replica.Unread) }),
	}
}

func storeNumbers() []number {
	return []number{
		gaugeOf("clawd_storage_disk_bytes", "Size of all files of the store.", func(s *sample) float64 { return float64(s.store.DiskBytes) }),
		gaugeOf("clawd_storage_wal_bytes", "Size of the live log files.", func(s *sample) float64 { return float64(s.store.WALBytes) }),
		counterOf("clawd_storage_wal_written_bytes_total", "Bytes written to log files.", func(s *sample) float64 { return float64(s.store.WALWritten) }),
		gaugeOf("clawd_storage_memtable_bytes", "Size of the memory tables.", func(s *sample) float64 { return float64(s.store.MemTableBytes) }),
		gaugeOf("clawd_storage_l0_files", "Files in level 0.", func(s *sample) float64 { return float64(s.store.L0Files) }),
		gaugeOf("clawd_storage_l0_sublevels", "Sublevels of level 0; writes stall at 24.", func(s *sample) float64 { return float64(s.store.L0Sublevels) }),
		gaugeOf("clawd_storage_read_amplification", "Tables a read may have to look at.", func(s *sample) float64 { return float64(s.store.ReadAmp) }),
		gaugeOf("clawd_storage_compaction_debt_bytes", "Bytes still to be compacted, estimated.", func(s *sample) float64 { return float64(s.store.CompactionDebt) }),
		counterOf("clawd_storage_compactions_total", "Compactions done.", func(s *sample) float64 { return float64(s.store.Compactions) }),
		counterOf("clawd_storage_memtable_flushes_total", "Memory tables written out.", func(s *sample) float64 { return float64(s.store.Flushes) }),
		gaugeOf("clawd_storage_cache_bytes", "Size of the block cache.", func(s *sample) float64 { return float64(s.store.CacheBytes) }),
		counterOf("clawd_storage_cache_hits_total", "Block cache hits.", func(s *sample) float64 { return float64(s.store.CacheHits) }),
		counterOf("clawd_storage_cache_misses_total", "Block cache misses.", func(s *sample) float64 { return float64(s.store.CacheMisses) }),
		gaugeOf("clawd_storage_views", "Open snapshots.", func(s *sample) float64 { return float64(s.store.Snapshots) }),
		counterOf("clawd_storage_write_stalls_total", "Times that writes stalled.", func(s *sample) float64 { return float64(s.store.Stalls) }),
		counterOf("clawd_storage_write_stall_seconds_total", "Time in write stalls.", func(s *sample) float64 { return s.store.StallTime.Seconds() }),
		counterOf("clawd_storage_slow_writes_total", "File operations that took over 5 s.", func(s *sample) float64 { return float64(s.store.SlowWrites) }),
		counterOf("clawd_storage_background_errors_total", "Flushes and compactions that failed and were tried again.", func(s *sample) float64 { return float64(s.store.BackgroundFails) }),
	}
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, x := range c.numbers {
		ch <- x.desc
	}
	for _, d := range []*prometheus.Desc{c.degraded, c.lag, c.staleness, c.skew} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	now := c.n.now()
	s := sample{
		replica: c.n.replica.Stats(now), store: c.n.store.Metrics(),
		overshoot: c.n.overshootBound(now), memory: c.n.health.isDegraded(reasonFlush),
	}
	for _, x := range c.numbers {
		ch <- prometheus.MustNewConstMetric(x.desc, x.kind, x.value(&s))
	}
	for _, why := range allReasons {
		ch <- prometheus.MustNewConstMetric(c.degraded, prometheus.GaugeValue, oneIf(c.n.health.isDegraded(why)), string(why))
	}
	c.collectPeers(ch, now)
}

func (c *stateCollector) collectPeers(ch chan<- prometheus.Metric, now replica.Instant) {
	named := make(map[string]bool)
	for _, m := range c.n.replica.Members(now) {
		name := strings.ToValidUTF8(m.Name, "?")
		if m.Self || m.Gone != "" || named[name] {
			continue
		}
		named[name] = true
		for desc, value := range map[*prometheus.Desc]float64{
			c.lag: float64(m.Lag), c.staleness: m.Staleness.Seconds(), c.skew: m.ClockSkew.Seconds(),
		} {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, name)
		}
	}
}

// overshootAgents is how many of the busiest agents the overshoot bound looks
// at. The bound grows with an agent's consumption, so the greatest is there.
const overshootAgents = 10

func (n *Node) overshootBound(now replica.Instant) (worst int64) {
	for _, r := range n.top.best(overshootAgents) {
		v, err := n.replica.Explain(now, &replica.Request{Tenant: r.name.tenant, Agent: r.name.agent})
		if err != nil {
			continue
		}
		for i := range v.Buckets {
			worst = max(worst, v.Buckets[i].Overshoot)
		}
	}
	return worst
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
