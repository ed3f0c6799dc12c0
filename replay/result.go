package replay

// Result is what a replay came to. The JSON names and what they mean are part of
// the contract with scripts. Rates and shares are 0..1.
type Result struct {
	Offered   int64 `json:"offered"`
	Admitted  int64 `json:"admitted"`
	Throttled int64 `json:"throttled"`
	// ThrottleRate is Throttled over Offered.
	ThrottleRate float64 `json:"throttle_rate"`
	// OverloadShare is the share of ticks whose queue delay exceeds MaxDelay by more
	// than one tick.
	OverloadShare float64 `json:"overload_share"`
	// P99 is of the latency of admitted requests.
	P99 float64 `json:"p99_ms"`
	// ProtectedThrottledRate is how much of the demand within an agent's share of the
	// capacity was throttled, second by second.
	ProtectedThrottledRate float64 `json:"protected_throttled_rate"`
	// The forecasts of the load's demand, whatever the policy: see ForecastScore.
	ForecastRRMSE1s  float64 `json:"forecast_rrmse_1s"`
	ForecastRRMSE30s float64 `json:"forecast_rrmse_30s"`
	P95Coverage      float64 `json:"p95_coverage"`

	// Errors is the share of admitted requests that the downstream refused.
	Errors float64 `json:"-"`
	// Mean is the mean latency in ms.
	Mean float64 `json:"-"`
}

// account counts what is admitted.
type account struct {
	offered, admitted []int64 // of the agents in this second
	touched           []int32
	weight            []float64
	total             Result
	within, lost      float64
}

func newAccount(l *Load, _ *Options) *account {
	a := &account{offered: make([]int64, len(l.Agents)), admitted: make([]int64, len(l.Agents)), weight: shares(l)}
	return a
}

// shares are the agents' weights as parts of one.
func shares(l *Load) []float64 {
	total := 0.0
	for _, a := range l.Agents {
		total += a.Weight
	}
	w := make([]float64, len(l.Agents))
	for i, a := range l.Agents {
		w[i] = a.Weight / total
	}
	return w
}

func (a *account) count(agent int32, ok bool) {
	if a.offered[agent] == 0 {
		a.touched = append(a.touched, agent)
	}
	a.offered[agent]++
	if ok {
		a.admitted[agent]++
	}
}

func (a *account) endSecond(capacity float64) {
	for _, i := range a.touched {
		fair := min(float64(a.offered[i]), a.weight[i]*capacity)
		a.within += fair
		a.lost += max(fair-float64(a.admitted[i]), 0)
		a.total.Offered += a.offered[i]
		a.total.Admitted += a.admitted[i]
		a.offered[i], a.admitted[i] = 0, 0
	}
	a.touched = a.touched[:0]
}

func (a *account) result(d *downstream, f ForecastScore) Result {
	r := a.total
	r.Throttled = r.Offered - r.Admitted
	r.ThrottleRate = ratio(float64(r.Throttled), float64(r.Offered))
	r.OverloadShare = ratio(float64(d.over), float64(d.ticks))
	r.P99 = d.delays.quantile(0.99)
	r.ProtectedThrottledRate = ratio(a.lost, a.within)
	r.ForecastRRMSE1s, r.ForecastRRMSE30s, r.P95Coverage = f.RRMSE1s, f.RRMSE30s, f.Coverage
	r.Errors = ratio(float64(d.errors), float64(r.Admitted))
	return r
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
