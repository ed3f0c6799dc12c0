package refill

import "github.com/openclaw/clawd/mlrefill"

// agentFeed is what was reported of the downstream of one agent without a pool.
type agentFeed struct {
	capacity *mlrefill.Capacity
	sum      Outcome
	since    int64
	heard    int64
}

const (
	agentFeedLife = 5 * 60 * second // after the last report an agent's is forgotten
	maxAgentFeeds = 4096            // agents whose own downstream is followed
	agentDelay    = 0.5             // seconds that requests of one agent may wait
)

// ReportAgent takes in an outcome of one agent: its pool's, when it has one. It
// reports false for one that cannot be. An agent that no policy makes adaptive
// has no use for it.
func (c *Controller) ReportAgent(now int64, a *Agent, o Outcome) bool {
	if !o.sane() {
		return false
	}
	if a == nil {
		return true
	}
	if a.pool != nil {
		return a.pool.Report(now, o)
	}
	if a.policy.Policy.Pool != "" {
		return true
	}
	l := &c.loose
	most := a.policy.Policy.MostRate()
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.feeds[a.name]
	if f == nil {
		if len(l.feeds) >= maxAgentFeeds {
			return true
		}
		f = &agentFeed{capacity: mlrefill.NewCapacity(most), since: now}
		l.feeds[a.name] = f
	}
	f.capacity.Raise(most)
	f.sum.Requests += o.Requests
	f.sum.Errors += o.Errors
	f.sum.LatencySum += o.LatencySum
	f.heard = now
	return true
}

// taken is how much the agent's downstream was reported to take.
func (l *loose) taken(name string, now int64) (float64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.feeds[name]
	if f == nil {
		return 0, false
	}
	if o := f.sum; o.Requests > 0 && now > f.since {
		f.sum = Outcome{}
		f.capacity.Report(mlrefill.Report{
			Seconds: min(float64(now-f.since)/float64(second), feedWindow), Requests: o.Requests, Errors: o.Errors,
			Latency: o.LatencySum / o.Requests, MaxDelay: agentDelay,
		})
		f.since = now
	}
	return f.capacity.Rate(), true
}
