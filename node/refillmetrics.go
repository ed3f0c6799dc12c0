package node

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openclaw/clawd/node/refill"
)

// refillCollector shows pools and adaptive rates as of the scrape. A pool is a
// label, for there are as many as operators made, and at most maxPoolSeries are
// shown; agents are none: GET /v1/pools/{name}?top=50 lists them.
type refillCollector struct {
	n      *Node
	gauges []poolNumber
	counts []poolNumber

	throttled, fallbacks, agents, expired, jumps *prometheus.Desc
}

// poolNumber is one series of each pool.
type poolNumber struct {
	desc  *prometheus.Desc
	value func(*refill.PoolView) float64
}

// maxPoolSeries bounds the pools that are shown.
const maxPoolSeries = 200

var poolLabels = []string{"tenant", "pool"}

func poolSeries(name, help string, value func(*refill.PoolView) float64) poolNumber {
	return poolNumber{prometheus.NewDesc("clawd_refill_pool_"+name, help, poolLabels, nil), value}
}

func newRefillCollector(n *Node) *refillCollector {
	return &refillCollector{
		n: n,
		gauges: []poolNumber{
			poolSeries("forecast_tokens", "Tokens expected in the current second.", func(v *refill.PoolView) float64 { return v.Forecast.Mean }),
			poolSeries("bound_tokens", "95 % bound of the tokens in the current second.", func(v *refill.PoolView) float64 { return v.Forecast.Bound }),
			poolSeries("window_forecast_tokens", "Tokens a second expected over the current half minute.", func(v *refill.PoolView) float64 { return v.Forecast.Window }),
			poolSeries("window_bound_tokens", "95 % bound of the tokens a second over the current half minute, for autoscalers.", func(v *refill.PoolView) float64 { return v.WindowBound }),
			poolSeries("coverage_ratio", "Share of seconds within the bound.", func(v *refill.PoolView) float64 { return v.Trust.Coverage() }),
			poolSeries("skill_ratio", "Skill of the model: 0 as good as a slow average, 1 perfect.", func(v *refill.PoolView) float64 { return v.Trust.Skill() }),
			poolSeries("confidence_ratio", "Confidence in the model.", func(v *refill.PoolView) float64 { return v.Trust.Confidence() }),
			poolSeries("fallback", "1 while the model is not used.", func(v *refill.PoolView) float64 { return oneIf(!v.Plan.Trusted) }),
			poolSeries("capacity_estimate_tokens", "Tokens a second the downstream is thought to take, by this node.", func(v *refill.PoolView) float64 { return v.Estimate }),
			poolSeries("capacity_agreed_tokens", "Least estimate of all nodes.", func(v *refill.PoolView) float64 { return v.Agreed }),
			poolSeries("part_tokens", "Tokens a second this node may admit.", func(v *refill.PoolView) float64 { return v.Part }),
			poolSeries("refill_tokens", "Sum of the planned rates of the active agents.", func(v *refill.PoolView) float64 { return v.Plan.Refill }),
			poolSeries("guarantee_ratio", "What part of the guarantees is kept.", func(v *refill.PoolView) float64 { return v.Scale }),
			poolSeries("queue_delay_seconds", "Queue delay of the downstream as last reported.", func(v *refill.PoolView) float64 { return v.Delay }),
			poolSeries("agents", "Active agents.", func(v *refill.PoolView) float64 { return float64(v.Plan.Agents) }),
		},
		counts: []poolNumber{
			poolSeries("offered_tokens_total", "Tokens asked for; retries of refused requests count once.", func(v *refill.PoolView) float64 { return v.Totals.Offered }),
			poolSeries("admitted_tokens_total", "Tokens admitted.", func(v *refill.PoolView) float64 { return v.Totals.Admitted }),
			poolSeries("borrowed_tokens_total", "Tokens admitted beyond guarantees.", func(v *refill.PoolView) float64 { return v.Totals.Borrowed }),
			poolSeries("capacity_cuts_total", "How often congestion lowered the estimate.", func(v *refill.PoolView) float64 { return float64(v.Cuts) }),
			poolSeries("feedback_refused_total", "Reports that could not be.", func(v *refill.PoolView) float64 { return float64(v.Refused) }),
		},
		throttled: prometheus.NewDesc("clawd_refill_pool_throttled_total",
			"Requests refused: unavoidable (no tokens), avoidable (tokens kept for guarantees), ceiling (the agent's own bound).", append([]string{"kind"}, poolLabels...), nil),
		fallbacks: prometheus.NewDesc("clawd_refill_pool_fallbacks_total", "How often the model ceased to be used.", append([]string{"reason"}, poolLabels...), nil),
		agents:    prometheus.NewDesc("clawd_refill_adaptive_agents", "Active agents with an adaptive rate and no pool, by what became of the rate.", []string{"rate"}, nil),
		expired:   prometheus.NewDesc("clawd_refill_decisions_expired_total", "Rates decided by another node that was not heard again in time.", nil, nil),
		jumps:     prometheus.NewDesc("clawd_refill_late_plans_total", "Plans that were late since the process stood still or its clock jumped.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *refillCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, list := range [][]poolNumber{c.gauges, c.counts} {
		for _, x := range list {
			ch <- x.desc
		}
	}
	for _, d := range []*prometheus.Desc{c.throttled, c.fallbacks, c.agents, c.expired, c.jumps} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *refillCollector) Collect(ch chan<- prometheus.Metric) {
	now := c.n.now().Mono
	pools := c.n.refill.Pools()
	for _, p := range pools[:min(len(pools), maxPoolSeries)] {
		v := p.View(now)
		labels := []string{strings.ToValidUTF8(p.Tenant(), "?"), strings.ToValidUTF8(p.Name(), "?")}
		for _, x := range c.gauges {
			ch <- prometheus.MustNewConstMetric(x.desc, prometheus.GaugeValue, x.value(&v), labels...)
		}
		for _, x := range c.counts {
			ch <- prometheus.MustNewConstMetric(x.desc, prometheus.CounterValue, x.value(&v), labels...)
		}
		for kind, n := range map[string]uint64{"unavoidable": v.Totals.Unavoidable, "avoidable": v.Totals.Avoidable, "ceiling": v.Totals.Ceiling} {
			ch <- prometheus.MustNewConstMetric(c.throttled, prometheus.CounterValue, float64(n), append([]string{kind}, labels...)...)
		}
		for _, why := range refill.Reasons() {
			ch <- prometheus.MustNewConstMetric(c.fallbacks, prometheus.CounterValue, float64(v.Totals.Fallbacks[why]), append([]string{why.String()}, labels...)...)
		}
	}
	l := c.n.refill.Loose()
	for rate, n := range map[string]int{"raised": l.Raised, "lowered": l.Lowered, "static": l.Agents - l.Raised - l.Lowered, "fallback": l.Fallback} {
		ch <- prometheus.MustNewConstMetric(c.agents, prometheus.GaugeValue, float64(n), rate)
	}
	ch <- prometheus.MustNewConstMetric(c.expired, prometheus.CounterValue, float64(l.Expired))
	ch <- prometheus.MustNewConstMetric(c.jumps, prometheus.CounterValue, float64(c.n.refill.Ticks().Jumps))
}
