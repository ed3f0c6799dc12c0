package mlrefill

// Model is what all records share: the prior, and where recalibration falls. It
// is not changed by use.
type Model struct {
	prior        Prior
	quick, slow  lags
	distort      func(f, u float64) (float64, float64)
	net          func(x *[features]float64) (float64, bool)
	whole        *Model // this model without distort
	windowLength int32
}

// WindowSeconds is how often weights, bounds and confidence are recalibrated.
const WindowSeconds = 30

// NewModel returns a model that starts from a prior.
func NewModel(p Prior) *Model {
	m := &Model{prior: p, quick: lagsOf(p.Quick), slow: lagsOf(p.Slow), windowLength: WindowSeconds}
	m.whole = m
	return m
}

// WithNetwork returns a model in which net is one more expert of pools: from
// Features to the next second's requests over their unit. It begins with little
// weight and has as much as it earns; what is not ok has no say.
func (m *Model) WithNetwork(net func(x *[features]float64) (y float64, ok bool)) *Model {
	d := *m
	d.net, d.whole = net, &d
	return &d
}

// Distorted returns a model whose published forecasts and bounds pass through f:
// how a broken model is tried out.
func (m *Model) Distorted(f func(forecast, bound float64) (float64, float64)) *Model {
	d := *m
	d.distort = f
	return &d
}

func (m *Model) publish(f, u float64) (float64, float64) {
	if m.distort != nil {
		return m.distort(f, u)
	}
	return f, u
}

// Jitter spreads the recalibration of keys over the window, so that they do not
// all take the same second on all nodes: a phase in seconds from a hash.
func Jitter(seed uint64, key string) uint8 {
	h := seed ^ 0xcbf29ce484222325
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 0x100000001b3
	}
	h ^= h >> 29
	return uint8(h % WindowSeconds)
}
