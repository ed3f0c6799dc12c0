package replay

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/openclaw/clawd/mlrefill"
)

type distortion func(f, u float64) (float64, float64)

// faults are ways in which a model may break.
var faults = map[string]func(*rand.Rand) distortion{
	"zero":   scaled(0),
	"half":   scaled(0.5),
	"double": scaled(2),
	"x10":    scaled(10),
	"nan": func(*rand.Rand) distortion {
		return func(float64, float64) (float64, float64) { return math.NaN(), math.NaN() }
	},
	"negative": scaled(-1),
	"scramble": func(r *rand.Rand) distortion {
		return func(f, u float64) (float64, float64) {
			k := math.Exp(2 * r.NormFloat64())
			return f * k, u * k
		}
	},
}

func scaled(k float64) func(*rand.Rand) distortion {
	return func(*rand.Rand) distortion {
		return func(f, u float64) (float64, float64) { return f * k, u * k }
	}
}

// Faults lists the names of the model faults.
func Faults() []string { return slices.Sorted(maps.Keys(faults)) }

// model makes the model of a run; broken works like it until it is told to break.
func model(o *Options) (m *mlrefill.Model, breakIt func()) {
	m = mlrefill.NewModel(*o.Prior)
	if o.Fault == "" {
		return m, func() {}
	}
	broken := false
	distort := faults[o.Fault](rand.New(rand.NewPCG(o.Seed, 7)))
	return m.Distorted(func(f, u float64) (float64, float64) {
		if broken {
			return distort(f, u)
		}
		return f, u
	}), func() { broken = true }
}
