package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// The look of all charts. The background is part of the picture, so that it can
// be read on a dark page, too.
const (
	width  = 860
	ink    = "#1b1f24"
	faint  = "#d0d7de"
	second = "#57606a"
)

var palette = []string{"#0969da", "#cf222e", "#1a7f37", "#9a6700", "#8250df", "#57606a", "#bf3989", "#1b7c83"}

func colour(i int) string { return palette[i%len(palette)] }

// canvas collects the elements of a picture.
type canvas struct {
	strings.Builder
	height int
}

func newCanvas(height int, title, subtitle string) *canvas {
	c := &canvas{height: height}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(c, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", html.EscapeString(title), width, height)
	c.text(16, 26, "start", 16, ink, "bold", title)
	c.text(16, 45, "start", 12, second, "normal", subtitle)
	return c
}

func (c *canvas) text(x, y float64, anchor string, size int, fill, weight, text string) {
	fmt.Fprintf(c, `<text x="%s" y="%s" text-anchor="%s" font-size="%d" fill="%s" font-weight="%s">%s</text>`+"\n",
		num(x), num(y), anchor, size, fill, weight, html.EscapeString(text))
}

func (c *canvas) line(x1, y1, x2, y2 float64, stroke string, wide float64) {
	fmt.Fprintf(c, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s" stroke-width="%s"/>`+"\n", num(x1), num(y1), num(x2), num(y2), stroke, num(wide))
}

func (c *canvas) done() string { return c.String() + "</svg>\n" }

// num writes a coordinate with one decimal, and without it when it is whole.
func num(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// short writes a value of an axis or a bar.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e6:
		return trim(v/1e6) + "M"
	case a >= 1e4:
		return trim(v/1e3) + "k"
	}
	return trim(v)
}

// trim writes three digits.
func trim(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// ticks are at most n round values from 0 to beyond top.
func ticks(top float64, n int) []float64 {
	if top <= 0 {
		top = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(top/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if top/(step*m) <= float64(n) {
			step *= m
			break
		}
	}
	var out []float64
	for i := 0; float64(i-1)*step < top; i++ {
		out = append(out, float64(i)*step)
	}
	return out
}
