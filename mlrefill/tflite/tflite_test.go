package tflite

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/openclaw/clawd/mlrefill"
)

// dense is what mlrefill/train/dense.py has exported with TensorFlow.
//
//go:embed testdata/dense.tflite
var dense []byte

// The trained network is read, and forecasts what its trainer says it does.
func TestTrainedNetwork(t *testing.T) {
	n, err := Parse(dense)
	if err != nil {
		t.Fatal(err)
	}
	if len(n.layers) != 3 || n.layers[0].out != 16 || n.layers[1].out != 8 || n.layers[2].out != 1 || n.layers[0].act == nil || n.layers[2].act != nil {
		t.Errorf("it has the layers %+v", n.layers)
	}
	// Steady demand goes on.
	for _, x := range []float64{0.5, 0.9, 1} {
		if y, ok := n.Predict(&[Inputs]float64{x, x, x, x, x, x, x, x}); !ok || math.Abs(y-x) > 0.25 {
			t.Errorf("all features %v: %v, %v", x, y, ok)
		}
	}
}

// reference is what TensorFlow Lite itself makes of some inputs; the trainer writes
// it.
//
//go:embed testdata/dense.tflite.json
var reference []byte

func TestSameAsTensorFlow(t *testing.T) {
	n, err := Parse(dense)
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		X [Inputs]float64
		Y float64
	}
	if err := json.Unmarshal(reference, &cases); err != nil || len(cases) < 10 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		if y, _ := n.Predict(&c.X); math.Abs(y-c.Y) > 1e-4*(1+math.Abs(c.Y)) {
			t.Errorf("%v: %v, TensorFlow says %v", c.X, y, c.Y)
		}
	}
}

// As one more expert of a pool the trained network is used, and a pool with it
// forecasts no worse than one without.
func TestTrainedNetworkAsExpert(t *testing.T) {
	n, err := Parse(dense)
	if err != nil {
		t.Fatal(err)
	}
	plain := mlrefill.NewModel(mlrefill.DefaultPrior())
	with := plain.WithNetwork(n.Predict)
	try := func(m *mlrefill.Model) (sum, weight float64) {
		h := mlrefill.NewHot(m, 1e9, 0)
		for i := range 1200 {
			y := math.Round(100 + 40*math.Sin(float64(i)/9) + 20*math.Sin(float64(i*i%97)))
			h.Observe(m, int64(i+1)*1e9, y)
			if f := h.Forecast(); i > 300 {
				sum += (f.Mean - y) * (f.Mean - y)
			}
		}
		return sum, h.NetWeight()
	}
	alone, _ := try(plain)
	both, weight := try(with)
	if both > 1.02*alone || !(weight > 0) {
		t.Errorf("squared error %v with the network (weight %v), %v without", both, weight, alone)
	}
}

func TestHostileFiles(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		says string
	}{
		"empty":     {nil, "does not begin"},
		"text":      {[]byte("not a model at all"), "does not begin"},
		"too large": {make([]byte, MaxBytes+1), "at most"},
		"only head": {append([]byte{8, 0, 0, 0}, "TFL3"...), "damaged"},
		"far root":  {append([]byte{255, 255, 255, 255}, "TFL3\x00\x00\x00\x00"...), "damaged"},
		"cut off":   {dense[:len(dense)/2], ""},
	} {
		_, err := Parse(c.b)
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
	// A weight that is no number.
	b := append([]byte(nil), dense...)
	n, _ := Parse(dense)
	at := find(b, n.layers[0].weights)
	binary.LittleEndian.PutUint32(b[at:], math.Float32bits(float32(math.NaN())))
	if _, err := Parse(b); !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("a weight of NaN: %v", err)
	}
}

// find is where the weights are in the file.
func find(b []byte, weights []float32) int {
	for at := 0; at+8 <= len(b); at++ {
		if binary.LittleEndian.Uint32(b[at:]) == math.Float32bits(weights[0]) && binary.LittleEndian.Uint32(b[at+4:]) == math.Float32bits(weights[1]) {
			return at
		}
	}
	return 0
}

// Each byte of the file, changed: it is refused or answers, and never panics.
func TestEveryByteDamaged(t *testing.T) {
	x := [Inputs]float64{1, 1, 1, 1, 1, 1, 1, 1}
	b := append([]byte(nil), dense...)
	for i := range b {
		for _, v := range []byte{0, 1, 127, 128, 255} {
			b[i] = v
			if n, err := Parse(b); err == nil {
				n.Predict(&x)
			} else if !errors.Is(err, ErrModel) {
				t.Fatalf("byte %d as %d: %v", i, v, err)
			}
		}
		b[i] = dense[i]
	}
}

func FuzzParse(f *testing.F) {
	f.Add(dense)
	f.Add(append([]byte{8, 0, 0, 0}, "TFL3\x00\x00\x00\x00\x00\x00"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrModel) {
				t.Fatal(err)
			}
			return
		}
		if _, ok := n.Predict(&[Inputs]float64{1, 2, 3, 4, 5, 6, 7, 8}); !ok && len(n.layers) == 0 {
			t.Fatal("a network without layers")
		}
	})
}
