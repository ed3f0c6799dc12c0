package cost

import (
	"math"
	"strings"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

// A day by hand: 1000 a second, no surge, one zone, 20 µs a decision.
func TestReckonByHand(t *testing.T) {
	l := Load{RPS: 1000, Zones: 1, Agents: 100, DiskGB: 10, Headroom: 0.5, CPUMicros: 20, RequestBytes: 1000, RowBytes: 50}
	p := Prices{Instance: 1, CPUCredits: 2, DiskGBMonth: 73, Balancer: 3, NLCU: 5, ZoneGB: 7}
	b := Reckon(l, p)
	if b.Instances != 1 || !near(b.NodeCapacity, 50_000) || !near(b.BaselineRPS, 20_000) || !near(b.Mean, 1000) {
		t.Fatalf("got %+v", b)
	}
	// 1000 × 20 µs = 0.02 of 2 processors; nothing above the baseline of 0.4.
	if !near(b.Utilisation, 0.01) {
		t.Errorf("utilisation %v", b.Utilisation)
	}
	// 86.4 GB a day are 3.6 capacity units.
	want := map[string]float64{
		"instances": 24, "CPU above the baseline": 0, "disks": 10 * 73 * 24 / 730.0, "load balancer": (3 + 5*3.6) * 24,
		"calls between zones": 0, "synchronisation between zones": 0,
	}
	sum := 0.0
	for _, line := range b.Lines {
		if !near(line.PerDay, want[line.Name]) {
			t.Errorf("%s: %v, want %v", line.Name, line.PerDay, want[line.Name])
		}
		sum += want[line.Name]
	}
	if !near(b.PerDay, sum) || !near(b.PerMillion, sum/86.4) {
		t.Errorf("%v a day, %v a million", b.PerDay, b.PerMillion)
	}
}

func TestTrafficBetweenThreeZones(t *testing.T) {
	l := Load{RPS: 3000, Zones: 3, Agents: 100, CPUMicros: 20, RequestBytes: 1000, RowBytes: 50}
	b := Reckon(l, Prices{ZoneGB: 1})
	// 100 agents are at most 1000 rows a second and node, which is what each of 3 nodes gets; 2 peers in other zones.
	rows := 3 * 1000.0
	if got, want := lineOf(t, b, "synchronisation between zones"), rows*50*2*86400/1e9; !near(got, want) {
		t.Errorf("synchronisation %v, want %v", got, want)
	}
	if got, want := lineOf(t, b, "calls between zones"), 3000*1000*86400/1e9*2/3; !near(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
	l.Agents = 1 // ten rows a second and node, however busy
	if got, want := lineOf(t, Reckon(l, Prices{ZoneGB: 1}), "synchronisation between zones"), 30.0*50*2*86400/1e9; !near(got, want) {
		t.Errorf("of one agent %v, want %v", got, want)
	}
}

func lineOf(t *testing.T, b Bill, name string) float64 {
	t.Helper()
	for _, l := range b.Lines {
		if l.Name == name {
			return l.PerDay
		}
	}
	t.Fatalf("no line %q", name)
	return 0
}

func TestInstancesCarryTheSurgeWithoutOneZone(t *testing.T) {
	for _, c := range []struct {
		surge float64
		zones int
		want  int
	}{
		{1, 3, 3}, {200, 3, 3}, {201, 3, 5}, {300, 3, 5}, {301, 3, 6}, {400, 3, 6}, {401, 3, 8}, {100, 1, 1}, {101, 1, 2}, {100, 2, 2}, {101, 2, 4},
	} {
		n, why := instances(Load{Surge: c.surge, Zones: c.zones}, 100)
		if n != c.want || left(n, c.zones)*100 < c.surge {
			t.Errorf("surge %v over %d zones: %d, want %d", c.surge, c.zones, n, c.want)
		}
		if (n == c.zones) != (why == "one in every zone") {
			t.Errorf("surge %v over %d zones: %d because of %s", c.surge, c.zones, n, why)
		}
	}
}

// Sustained load above the baseline is billed, and only what is above.
func TestCreditsAreBilledAboveTheBaseline(t *testing.T) {
	p := Prices{CPUCredits: 0.05}
	at := func(rps float64) float64 {
		return lineOf(t, Reckon(Load{RPS: rps, Zones: 1, CPUMicros: 10, Headroom: 0.01}, p), "CPU above the baseline")
	}
	if got := at(40_000); got != 0 {
		t.Errorf("at the baseline: %v", got)
	}
	if got, want := at(140_000), 1.0*0.05*24; !near(got, want) {
		t.Errorf("one processor above: %v, want %v", got, want)
	}
}

func TestMeanCountsTheSurgeForItsHours(t *testing.T) {
	if got := (Load{RPS: 10, Surge: 34, SurgeHours: 1}).Mean(); !near(got, 11) {
		t.Errorf("got %v", got)
	}
}

func TestNothingIsFreeOrNegative(t *testing.T) {
	for _, rps := range []float64{0.001, 1, 29, 1e4, 1e6} {
		for zones := 1; zones <= 6; zones++ {
			b := Reckon(Load{RPS: rps, Surge: 3 * rps, Zones: zones}, ListPrices())
			for _, l := range b.Lines {
				if !(l.PerDay >= 0) || math.IsInf(l.PerDay, 0) {
					t.Errorf("%v over %d: %s is %v", rps, zones, l.Name, l.PerDay)
				}
			}
			if b.PerDay < 24*0.0416*float64(zones) || b.SurgeLoad > 1 {
				t.Errorf("%v over %d: %v a day at %v", rps, zones, b.PerDay, b.SurgeLoad)
			}
		}
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	good := Load{RPS: 10}.WithDefaults()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]func(*Load){
		"rps":         func(l *Load) { l.RPS = -1 },
		"surge is":    func(l *Load) { l.Surge = 5 },
		"surge-hours": func(l *Load) { l.SurgeHours = 25 },
		"zones":       func(l *Load) { l.Zones = 7 },
		"headroom":    func(l *Load) { l.Headroom = 1 },
		"cpu-us":      func(l *Load) { l.CPUMicros = math.NaN() },
	} {
		l := good
		bad(&l)
		if err := l.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if (Prices{Instance: -1}).Validate() == nil || (Prices{ZoneGB: math.NaN()}).Validate() == nil {
		t.Error("a price below nothing, or none")
	}
	if ListPrices().Validate() != nil {
		t.Error("the list prices")
	}
}
