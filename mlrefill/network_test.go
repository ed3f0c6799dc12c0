package mlrefill

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A network that knows what comes gains weight and makes the forecast better; one
// that is broken loses its say within a minute and costs next to nothing.
func TestNetworkEarnsItsWeight(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	y := make([]float64, 900)
	for i := range y {
		y[i] = math.Round(100 + 80*math.Sin(float64(i)) + 4*rng.NormFloat64())
	}
	next := 0.0
	try := func(net func(*[features]float64) (float64, bool)) (rmse, weight float64) {
		m := NewModel(DefaultPrior())
		if net != nil {
			m = m.WithNetwork(net)
		}
		h := NewHot(m, second, 0)
		sum := 0.0
		for i, v := range y {
			now := int64(i+1) * second
			next = v
			h.Observe(m, now, v)
			if f := h.Forecast(); i > 300 {
				sum += (f.Mean - v) * (f.Mean - v)
			}
		}
		return math.Sqrt(sum / 600), h.NetWeight()
	}
	alone, none := try(nil)
	if none != 0 {
		t.Errorf("without a network it has a weight of %v", none)
	}
	_, good := try(func(x *[features]float64) (float64, bool) { return next * (1 - x[7]) / unitFloor, true })
	if good < 0.5 {
		t.Errorf("a network that knows what comes has a weight of %v", good)
	}
	for name, net := range map[string]func(*[features]float64) (float64, bool){
		"huge":      func(*[features]float64) (float64, bool) { return 1e30, true },
		"negative":  func(*[features]float64) (float64, bool) { return -1e30, true },
		"constant":  func(*[features]float64) (float64, bool) { return 0, true },
		"no number": func(*[features]float64) (float64, bool) { return math.NaN(), false },
		"NaN":       func(*[features]float64) (float64, bool) { return math.NaN(), true },
	} {
		rmse, weight := try(net)
		if !(rmse < alone*1.02) || name != "no number" && name != "NaN" && weight > 0.02 {
			t.Errorf("%s: error %v beside %v without it, weight %v", name, rmse, alone, weight)
		}
	}
}
