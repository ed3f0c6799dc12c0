package replay

import (
	"bytes"
	"compress/gzip"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, text string, packed bool) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "trace")
	var b bytes.Buffer
	if packed {
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	} else {
		b.WriteString(text)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		format, text string
		agents       int
		perSecond    []int64
	}{
		{Counts, "second,requests\n10,2\n12,1\n", 1, []int64{2, 0, 1}},
		{Counts, "second,tenant,requests\n0,a,2\n0,b,3\n1,b,1\n", 2, []int64{5, 1}},
		{
			Azure, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,374,44\n2023-11-16 18:17:04.0319600,396,109\n" +
				"2023-11-16 18:17:04.9,1,1\n", 1, []int64{1, 2},
		},
		{Azure, "TIMESTAMP,ContextTokens\n2024-05-10 00:00:00.009930+00:00,1\n2024-05-10 00:00:02+00:00,1\n", 1, []int64{1, 0, 1}},
		{BurstGPT, "Timestamp,Model,Request tokens\n5,ChatGPT,472\n5.5,GPT-4,20\n7,ChatGPT,3\n", 2, []int64{2, 0, 1}},
		{Mooncake, "{\"timestamp\": 0, \"input_length\": 5, \"hash_ids\": [1]}\n\n{\"timestamp\": 1500}\n{\"timestamp\": 1501}\n", 1, []int64{1, 2}},
	} {
		for _, packed := range []bool{false, true} {
			l, err := Source{File: write(t, c.text, packed), Format: c.format}.Read()
			if err != nil {
				t.Errorf("%s: %v", c.format, err)
				continue
			}
			if len(l.Agents) != c.agents || len(l.Seconds) != len(c.perSecond) {
				t.Errorf("%s: %d agents, %d seconds", c.format, len(l.Agents), len(l.Seconds))
				continue
			}
			for i, n := range c.perSecond {
				if count(l.Seconds[i]) != n {
					t.Errorf("%s: second %d has %d requests, want %d", c.format, i, count(l.Seconds[i]), n)
				}
			}
		}
	}
}

func TestServeGen(t *testing.T) {
	text := "window_start_s,client,rate_rps,cv,family\n0,0,10,1.5,G\n0,1,0.0,0.0,n\n600,0,20,0.5,W\n600,1,5,0,n\n"
	l, err := Source{File: write(t, text, false), Format: ServeGen, Scale: 2}.Read()
	if err != nil {
		t.Fatal(err)
	}
	first, second := int64(0), int64(0)
	for sec, d := range l.Seconds {
		if sec < 600 {
			first += count(d)
		} else {
			second += count(d)
		}
	}
	if math.Abs(float64(first)-12000) > 700 || math.Abs(float64(second)-30000) > 700 {
		t.Errorf("%d and %d requests, want about 12000 and 30000", first, second)
	}
	if l, err := (Source{File: write(t, text, false), Format: ServeGen, Seconds: 100}).Read(); err != nil || len(l.Seconds) != 100 {
		t.Errorf("%v", err)
	}
}

func TestGammaGaps(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 1))
	for _, cv := range []float64{0, 0.4, 1, 2.5} {
		sum, squares := 0.0, 0.0
		const n = 200_000
		for range n {
			g := gamma(chance, cv)
			sum += g
			squares += g * g
		}
		mean := sum / n
		if got := math.Sqrt(squares/n-mean*mean) / mean; math.Abs(mean-1) > 0.03 || math.Abs(got-cv) > 0.05*cv+0.01 {
			t.Errorf("mean %.3f and variation %.3f, want 1 and %v", mean, got, cv)
		}
	}
}

func TestBadFiles(t *testing.T) {
	for format, texts := range map[string][]string{
		Counts:   {"", "a,b\n", "second,requests\n-1,2\n", "second,requests\n"},
		Azure:    {"", "X\n1\n", "TIMESTAMP\nyesterday\n"},
		BurstGPT: {"Timestamp\n1\n", "Timestamp,Model\nx,y\n", "Timestamp,Model\n-4,y\n", "Timestamp,Model\nNaN,y\n"},
		Mooncake: {"{", "{}\n", "{\"timestamp\": 1e300}\n", ""},
		ServeGen: {"window_start_s,client,rate_rps,cv\n0,a,-1,1\n", "window_start_s,client,rate_rps,cv\n0,a,1e9,1\n"},
	} {
		for _, text := range texts {
			if _, err := (Source{File: write(t, text, false), Format: format}).Read(); err == nil {
				t.Errorf("%s: %q was read", format, text)
			}
		}
	}
	if _, err := (Source{File: "x", Format: "y"}).Read(); !errors.Is(err, ErrOptions) {
		t.Errorf("no such format: %v", err)
	}
}

func FuzzFormats(f *testing.F) {
	for i := range Formats {
		f.Add(i, []byte("TIMESTAMP,Timestamp,Model,window_start_s,client,rate_rps,cv\n2023-11-16 18:17:03,1,a,0,b,1,1\n"))
		f.Add(i, []byte("{\"timestamp\": 0}\n"))
	}
	f.Fuzz(func(_ *testing.T, i int, b []byte) {
		g := &gather{of: make(map[string]map[int]int64)}
		r := bytes.NewReader(b)
		switch ((i % 4) + 4) % 4 {
		case 0:
			_ = readAzure(r, g)
		case 1:
			_ = readBurstGPT(r, g)
		case 2:
			_ = readMooncake(r, g)
		case 3:
			s := Source{Seconds: 10, Scale: 1e-3}
			_ = s.readServeGen(r, g)
		}
	})
}
