package sim

import "testing"

// One schedule of each of the first seeds, in turn: what `make sim` does all the time.
func BenchmarkSchedule(b *testing.B) {
	b.ReportAllocs()
	var tally Tally
	for i := range b.N {
		res := Run(NewPlan(uint64(i%500+1)), Options{})
		tally.Merge(&res.Tally)
	}
	b.ReportMetric(float64(tally.Pages)/float64(b.N), "pages/op")
}
