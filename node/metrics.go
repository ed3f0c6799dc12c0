package node

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/openclaw/clawd/node/antientropy"
)

// metrics are the series the node counts itself. What the replica and the
// store count is read at each scrape, see stateCollector.
type metrics struct {
	allowed, denied             prometheus.Counter
	allowedTokens, deniedTokens prometheus.Counter
	refundedTokens              prometheus.Counter

	flushSeconds prometheus.Histogram
	flushBytes   prometheus.Counter
	flushErrors  prometheus.Counter

	pushBytes, pushErrors, pushDropped, pushGaps prometheus.Counter
	pulls, pullErrors, pullBytes                 prometheus.Counter
	gaps                                         prometheus.Counter
	rejects                                      *prometheus.CounterVec
	audits, auditErrors, auditRepaired           prometheus.Counter

	snapshotBytes       prometheus.Counter
	peersAlive          prometheus.Gauge
	memberEvents        prometheus.Counter
	diskFree, diskTotal prometheus.Gauge

	planSeconds                 prometheus.Histogram
	planErrors, feedbackReports prometheus.Counter
}

// The reasons for which a message of a peer is refused.
var rejectReasons = []struct {
	name string
	err  error
}{
	{"malformed", antientropy.ErrMalformed},
	{"foreign_cluster", antientropy.ErrForeignCluster},
	{"foreign_origin", antientropy.ErrForeignOrigin},
	{"own_origin", antientropy.ErrOwnOrigin},
	{"forgotten", antientropy.ErrForgotten},
}

const rejectOther = "other"

func newMetrics(reg prometheus.Registerer) *metrics {
	f := factory{reg}
	decisions := f.counters("clawd_limiter_decisions_total", "Answers of the limiter, by result.", "result", "allowed", "denied")
	tokens := f.counters("clawd_limiter_tokens_total", "Tokens asked for, by the result of the request.", "result", "allowed", "denied")
	reasons := []string{rejectOther}
	for _, r := range rejectReasons {
		reasons = append(reasons, r.name)
	}
	return &metrics{
		allowed: decisions.WithLabelValues("allowed"), denied: decisions.WithLabelValues("denied"),
		allowedTokens: tokens.WithLabelValues("allowed"), deniedTokens: tokens.WithLabelValues("denied"),
		refundedTokens: f.counter("clawd_limiter_refunded_tokens_total", "Tokens given back through this node."),

		flushSeconds: f.histogram("clawd_flush_duration_seconds", "Time to commit one flush with its fsync.",
			[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}),
		flushBytes:  f.counter("clawd_flush_bytes_total", "Bytes of committed flushes."),
		flushErrors: f.counter("clawd_flush_errors_total", "Flushes the disk refused; their content is kept for the next."),

		pushBytes:   f.counter("clawd_push_bytes_total", "Bytes pushed to peers."),
		pushErrors:  f.counter("clawd_push_errors_total", "Pushes that failed; the peer pulls what it lacks."),
		pushDropped: f.counter("clawd_push_dropped_total", "Pushes dropped because a queue was full or its peer failed."),
		pushGaps:    f.counter("clawd_push_gaps_total", "Pushes a peer refused because it lacked what came before."),
		pulls:       f.counter("clawd_pull_rounds_total", "Pull rounds begun."),
		pullErrors:  f.counter("clawd_pull_errors_total", "Pull rounds that failed."),
		pullBytes:   f.counter("clawd_pull_bytes_total", "Bytes received by pulls."),
		gaps:        f.counter("clawd_merge_gaps_total", "Pushed pages refused because what came before is missing here."),
		rejects:     f.counters("clawd_merge_rejected_total", "Messages of peers that were refused.", "reason", reasons...),
		audits:      f.counter("clawd_audit_rounds_total", "Comparisons of digests with a peer."),
		auditErrors: f.counter("clawd_audit_errors_total", "Comparisons of digests that failed."),
		auditRepaired: f.counter("clawd_audit_repaired_rows_total",
			"Rows an audit found missing although the vectors said otherwise. Must stay 0."),

		snapshotBytes: f.counter("clawd_snapshot_bytes_total", "Bytes of other nodes' state loaded by an empty node."),
		peersAlive:    f.gauge("clawd_peers_alive", "Other members in reach."),
		memberEvents:  f.counter("clawd_member_changes_total", "Changes of the member list."),
		diskFree:      f.gauge("clawd_disk_free_bytes", "Free space on the disk of the data directory."),
		diskTotal:     f.gauge("clawd_disk_size_bytes", "Size of the disk of the data directory."),

		planSeconds: f.histogram("clawd_refill_plan_duration_seconds", "Time to plan all pools and adaptive rates.",
			[]float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}),
		planErrors:      f.counter("clawd_refill_publish_errors_total", "Plans that could not be told to the other nodes."),
		feedbackReports: f.counter("clawd_refill_feedback_reports_total", "Reports of downstream calls that were taken in."),
	}
}

// rejected counts a refused message.
func (m *metrics) rejected(err error) {
	for _, r := range rejectReasons {
		if errors.Is(err, r.err) {
			m.rejects.WithLabelValues(r.name).Inc()
			return
		}
	}
	m.rejects.WithLabelValues(rejectOther).Inc()
}

// factory makes and registers series.
type factory struct{ reg prometheus.Registerer }

func (f factory) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	f.reg.MustRegister(c)
	return c
}

// counters makes a vector with all its series at zero: a series that appears
// with its first event hides that event from rate().
func (f factory) counters(name, help, label string, values ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	for _, v := range values {
		c.WithLabelValues(v)
	}
	f.reg.MustRegister(c)
	return c
}

func (f factory) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	f.reg.MustRegister(g)
	return g
}

func (f factory) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	f.reg.MustRegister(h)
	return h
}

// lease is a Registerer that takes everything back on release, so that one
// registry can serve a node and later its successor.
type lease struct {
	prometheus.Registerer
	held []prometheus.Collector
}

// Register implements prometheus.Registerer.
func (l *lease) Register(c prometheus.Collector) error {
	err := l.Registerer.Register(c)
	if err == nil {
		l.held = append(l.held, c)
	}
	return err
}

// MustRegister implements prometheus.Registerer.
func (l *lease) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := l.Register(c); err != nil {
			panic(err) // two nodes share a registry: a programmer's error
		}
	}
}

func (l *lease) release() {
	for _, c := range l.held {
		l.Unregister(c)
	}
	l.held = nil
}

// registerRuntime adds what Go and the process tell of themselves, unless the
// owner of the registry has done so.
func registerRuntime(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		var already prometheus.AlreadyRegisteredError
		if err := reg.Register(c); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}
