package mlrefill

// rls is recursive least squares with forgetting, in float32 with the packed
// upper triangle of the covariance: 176 bytes.
type rls struct {
	theta [features]float32
	p     [features * (features + 1) / 2]float32
}

const (
	features = 8
	// How little the start is believed: variance of each coefficient.
	quickVariance = 0.02
	slowVariance  = 0.0003
	maxVariance   = 10 // a trace beyond it is scaled down: without news, forgetting alone lets it grow
)

type feature = [features]float64

func newRLS(start [features]float64, variance float32) rls {
	var r rls
	for i, v := range start {
		r.theta[i] = float32(v)
		r.p[packed(i, i)] = variance
	}
	return r
}

// packed is where row i ≤ column j is.
func packed(i, j int) int { return i*(2*features-i+1)/2 + j - i }

func (r *rls) predict(x *feature) (y float64) {
	for i, v := range x {
		y += float64(r.theta[i]) * v
	}
	return y
}

// learn takes one outcome:
//
//	k = P·x / (λ + x'·P·x),  θ += k·(y − θ'·x),  P = (P − k·x'·P) / λ
func (r *rls) learn(x *feature, y, forget float64) {
	var px feature
	den := forget
	for i := range features {
		for j := range features {
			px[i] += float64(r.p[packed(min(i, j), max(i, j))]) * x[j]
		}
		den += px[i] * x[i]
	}
	if !(den > 0) {
		return
	}
	err := y - r.predict(x)
	trace := 0.0
	for i := range features {
		k := px[i] / den
		r.theta[i] += float32(k * err)
		for j := i; j < features; j++ {
			at := packed(i, j)
			r.p[at] = float32((float64(r.p[at]) - k*px[j]) / forget)
		}
		trace += float64(r.p[packed(i, i)])
	}
	if trace > maxVariance*features {
		for i := range r.p {
			r.p[i] *= float32(maxVariance * features / trace)
		}
	}
}

// broken reports coefficients that are no numbers.
func (r *rls) broken() bool {
	var sum float32
	for _, v := range r.theta {
		sum += v
	}
	for i := range features {
		sum += r.p[packed(i, i)]
	}
	return sum != sum || sum > 1e30 || sum < -1e30
}
