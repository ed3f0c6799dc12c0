package node

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/openclaw/clawd/access"
)

// tenantMetrics is /metrics for a scraper of one tenant: what this node
// admitted for the tenant's busiest agents and what its quotas have refused,
// nothing of the node and nothing of other tenants.
func (n *Node) tenantMetrics(t *access.Tenant) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(tenantCollector{top: n.top, tenant: t})
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

type tenantCollector struct {
	top    *topAgents
	tenant *access.Tenant
}

var (
	tenantTokens   = prometheus.NewDesc("openclaw_tokens_used_total", "Tokens this node admitted, for the tenant's agents among the busiest.", []string{"agent_id"}, nil)
	tenantRefused  = prometheus.NewDesc("clawd_tenant_refused_total", "Requests this node refused by a quota of the tenant.", nil, nil)
	tenantWatchers = prometheus.NewDesc("clawd_tenant_watchers", "Open change streams of the tenant on this node.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c tenantCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- tenantTokens
	ch <- tenantRefused
	ch <- tenantWatchers
}

// Collect implements prometheus.Collector. An agent's series counts since it
// became one of the busiest, and begins again when it was not for a while.
func (c tenantCollector) Collect(ch chan<- prometheus.Metric) {
	for name, amount := range c.top.of(c.tenant.Name()) {
		label := agentName{tenant: access.DefaultTenant, agent: name}.label()
		ch <- prometheus.MustNewConstMetric(tenantTokens, prometheus.CounterValue, float64(amount)/microTokens, label)
	}
	ch <- prometheus.MustNewConstMetric(tenantRefused, prometheus.CounterValue, float64(c.tenant.Refused()))
	ch <- prometheus.MustNewConstMetric(tenantWatchers, prometheus.GaugeValue, float64(c.tenant.Watchers()))
}

// of is what was counted for a tenant's agents in the table, in µtok.
func (t *topAgents) of(tenant string) map[string]uint64 {
	if t == nil {
		return nil
	}
	agents := map[string]uint64{}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, e := range s.least {
			if e.name.tenant == tenant {
				agents[e.name.agent] = e.gain
			}
		}
		s.mu.Unlock()
	}
	return agents
}
