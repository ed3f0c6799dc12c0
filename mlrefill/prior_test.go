package mlrefill

import (
	"bytes"
	"errors"
	"testing"
)

func TestShippedPrior(t *testing.T) {
	p, err := ParsePrior(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if p != DefaultPrior() || p.Quick == FlatPrior().Quick {
		t.Error("the shipped prior is not the one in use")
	}
	if !bytes.Equal(p.Seal(), shipped) {
		t.Error("the shipped file is not what Seal writes")
	}
}

func TestPriorRefusals(t *testing.T) {
	change := func(f func(p *Prior)) []byte {
		p := DefaultPrior()
		f(&p)
		return p.Seal()
	}
	for name, b := range map[string][]byte{
		"empty":        nil,
		"no JSON":      []byte("x"),
		"altered":      bytes.Replace(shipped, []byte("0.2"), []byte("0.3"), 1),
		"version":      bytes.Replace(shipped, []byte(`"version": 1`), []byte(`"version": 2`), 1),
		"weights":      change(func(p *Prior) { p.Slow[2] = 5 }),
		"negative":     change(func(p *Prior) { p.Quick[0] = -0.1 }),
		"coefficients": change(func(p *Prior) { p.SlowRLS[1] = 1e9 }),
	} {
		if _, err := ParsePrior(b); !errors.Is(err, ErrPrior) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParsePrior(f *testing.F) {
	f.Add(shipped)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePrior(b)
		if err != nil {
			return
		}
		if again, err := ParsePrior(p.Seal()); err != nil || again != p {
			t.Fatalf("%+v became %+v: %v", p, again, err)
		}
	})
}

// A prior that is plainly wrong is forgotten: after some minutes it makes little
// difference.
func TestABadPriorLosesItsSay(t *testing.T) {
	bad := FlatPrior()
	bad.Quick = [experts]float64{1}
	bad.QuickRLS = [features]float64{-2, 3, 0, 0, 0, 0, 0, 0}
	err := func(p Prior) (sum float64) {
		m := NewModel(p)
		h := NewHot(m, second, 0)
		for i, y := range series(3, 2400) {
			now := int64(i+1) * second
			h.Advance(m, now)
			if i > 600 {
				d := h.Forecast().Mean - y
				sum += d * d
			}
			h.Observe(m, now, y)
		}
		return sum
	}
	if good, worse := err(DefaultPrior()), err(bad); worse > 1.05*good {
		t.Errorf("squared error %.0f with a bad prior, %.0f with the shipped one", worse, good)
	}
}
