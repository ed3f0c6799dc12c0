package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// wellFormed fails unless svg is XML without NaN or infinite coordinates.
func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	for _, bad := range []string{"NaN", "Inf"} {
		if strings.Contains(svg, bad) {
			t.Errorf("%s in\n%s", bad, svg)
		}
	}
}

func TestBarsShowEveryValueAndItsSpread(t *testing.T) {
	svg := Bars{Title: "a < b", Bars: []Bar{{Label: "one & only", Value: 12.34, Least: 11, Greatest: 40, Strong: true}, {Label: "two"}}}.SVG()
	wellFormed(t, svg)
	for _, want := range []string{"a &lt; b", "one &amp; only", ">12.3<", ">two<", ">0<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("missing %s in\n%s", want, svg)
		}
	}
}

func TestLinesWithAndWithoutLogarithm(t *testing.T) {
	for _, log := range []bool{false, true} {
		svg := Lines{
			Title: "t", X: "x", Y: "y", Log: log, Ticks: []Tick{{0, "50 %"}, {2, "99 %"}},
			Series: []Series{{"a", []float64{0, 1, 2}, []float64{1, 10, 1000}}, {"b", []float64{0, 1, 2}, []float64{5, 5, 5}}},
		}.SVG()
		wellFormed(t, svg)
		if strings.Count(svg, "<polyline") != 2 || !strings.Contains(svg, "99 %") {
			t.Error(svg)
		}
	}
}

func TestEmptyAndFlatChartsAreDrawn(t *testing.T) {
	wellFormed(t, Bars{}.SVG())
	wellFormed(t, Lines{}.SVG())
	wellFormed(t, Lines{Log: true, Series: []Series{{"a", []float64{0}, []float64{10}}}}.SVG())
}

func TestTicksReachBeyondTheGreatest(t *testing.T) {
	for _, top := range []float64{0, 0.003, 1, 7, 10, 99, 12345} {
		got := ticks(top, 6)
		if got[0] != 0 || got[len(got)-1] < top || len(got) < 2 || len(got) > 9 {
			t.Errorf("%v: %v", top, got)
		}
	}
}
