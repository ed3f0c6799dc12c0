package rating

import (
	"cmp"
	"slices"
	"time"
)

// Line is the usage of one model on one day under one version of a price.
type Line struct {
	Day   uint32 // days since 1970-01-01 UTC
	Model string
	// Pattern and From name the version that rated it. An empty Pattern is usage
	// for which no price was known at the time.
	Pattern string
	From    int64
	Usage   Usage
}

// Rated is a Line with what it costs.
type Rated struct {
	Line
	Price  Price
	Priced bool // false: no price is known to this day; Charge is then empty
	Charge Charge
}

// Statement prices lines of one agent. A line costs what its usage adds to the
// bill of its month, day by day; so for tiers the lines must reach back to the
// first of the month. What no price was known for is priced by the version that
// held at the end of its day, should there be one by now.
//
// The answer is in the order of day, model and price, and does not depend on
// the order of the lines.
func (b *Book) Statement(lines []Line) ([]Rated, error) {
	lines = slices.Clone(lines)
	slices.SortFunc(lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Pattern, b.Pattern), cmp.Compare(a.From, b.From))
	})
	type account struct {
		month          time.Month
		model, pattern string
		from           int64
	}
	sofar := make(map[account]Usage)
	rated := make([]Rated, 0, len(lines))
	for _, l := range lines {
		r := Rated{Line: l}
		r.Price, r.Priced = b.of(l)
		if r.Priced {
			a := account{month(l.Day), l.Model, r.Price.Model, int64(r.Price.EffectiveFrom)}
			var err error
			if r.Charge, err = r.Price.Rate(l.Usage, sofar[a]); err != nil {
				return nil, err
			}
			sofar[a] = sofar[a].Plus(l.Usage)
		}
		rated = append(rated, r)
	}
	return rated, nil
}

func (b *Book) of(l Line) (Price, bool) {
	if l.Pattern == "" {
		return b.At(l.Model, DayStart(l.Day+1)-1)
	}
	return b.Version(l.Pattern, l.From)
}

const dayMS = 24 * 60 * 60 * 1000

// DayOf returns the day of an instant in unix ms, which must not be before 1970.
func DayOf(ms int64) uint32 { return uint32(ms / dayMS) }

// DayStart returns the first instant of a day in unix ms.
func DayStart(day uint32) int64 { return int64(day) * dayMS }

// MonthStart returns the first day of the month that a day is in.
func MonthStart(day uint32) uint32 {
	t := time.UnixMilli(DayStart(day)).UTC()
	return day - uint32(t.Day()-1)
}

// month numbers months across years.
func month(day uint32) time.Month {
	y, m, _ := time.UnixMilli(DayStart(day)).UTC().Date()
	return time.Month(y)*12 + m
}
