package chart

import "fmt"

// Bars compares values: one line each, with the spread over the rounds as a
// whisker.
type Bars struct {
	Title, Subtitle string
	Bars            []Bar
}

// Bar is one value.
type Bar struct {
	Label           string
	Value           float64
	Least, Greatest float64 // the spread; both 0 = none
	Strong          bool    // what the picture is about
}

// SVG draws the bars.
func (b Bars) SVG() string {
	const left, right, top, step, thick = 250, 90, 66, 34, 20
	c := newCanvas(top+step*len(b.Bars)+36, b.Title, b.Subtitle)
	greatest := 0.0
	for _, x := range b.Bars {
		greatest = max(greatest, x.Value, x.Greatest)
	}
	marks := ticks(greatest, 6)
	scale := (width - left - right) / marks[len(marks)-1]
	bottom := float64(top + step*len(b.Bars))
	for _, m := range marks {
		x := left + m*scale
		c.line(x, top-6, x, bottom, faint, 1)
		c.text(x, bottom+16, "middle", 11, second, "normal", short(m))
	}
	for i, x := range b.Bars {
		y := float64(top + step*i)
		fill, weight := "#8c959f", "normal"
		if x.Strong {
			fill, weight = palette[0], "bold"
		}
		c.text(left-10, y+15, "end", 13, ink, weight, x.Label)
		fmt.Fprintf(c, `<rect x="%d" y="%s" width="%s" height="%d" fill="%s"/>`+"\n", left, num(y), num(x.Value*scale), thick, fill)
		end := x.Value
		if x.Greatest > 0 {
			mid := y + thick/2
			c.line(left+x.Least*scale, mid, left+x.Greatest*scale, mid, ink, 1.5)
			c.line(left+x.Least*scale, mid-4, left+x.Least*scale, mid+4, ink, 1.5)
			c.line(left+x.Greatest*scale, mid-4, left+x.Greatest*scale, mid+4, ink, 1.5)
			end = max(end, x.Greatest)
		}
		c.text(left+end*scale+8, y+15, "start", 12, ink, weight, short(x.Value))
	}
	return c.done()
}
