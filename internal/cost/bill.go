package cost

import "math"

const (
	hoursDay   = 24.0
	hoursMonth = 730.0
	bytesGB    = 1e9
)

// Bill is what a load needs and costs.
type Bill struct {
	Instances    int     `json:"instances"`
	Why          string  `json:"instances_because"`
	NodeCapacity float64 `json:"node_capacity_rps"`     // at the headroom
	BaselineRPS  float64 `json:"node_baseline_rps"`     // for ever, within CPU credits
	Utilisation  float64 `json:"mean_cpu_utilisation"`  // of all processors, 0..1
	SurgeLoad    float64 `json:"surge_cpu_utilisation"` // with one zone lost
	Mean         float64 `json:"mean_rps"`
	Lines        []Line  `json:"lines"`
	PerDay       float64 `json:"per_day"`
	PerMillion   float64 `json:"per_million"`
	Others       []Other `json:"others"`
}

// Line is one item of the bill.
type Line struct {
	Name   string  `json:"name"`
	PerDay float64 `json:"per_day"`
	Note   string  `json:"note"`
}

// Reckon makes the bill. Both arguments must be valid.
func Reckon(l Load, p Prices) Bill {
	l = l.WithDefaults()
	b := Bill{Mean: l.Mean()}
	vcpu := l.CPUMicros / 1e6 // of one decision
	b.NodeCapacity = VCPUs * (1 - l.Headroom) / vcpu
	b.BaselineRPS = VCPUs * Baseline / vcpu
	b.Instances, b.Why = instances(l, b.NodeCapacity)
	n := float64(b.Instances)
	b.Utilisation = b.Mean * vcpu / (n * VCPUs)
	b.SurgeLoad = l.Surge * vcpu / (left(b.Instances, l.Zones) * VCPUs)

	rows := n * math.Min(l.Agents/FlushSeconds, b.Mean/n) // pushed a second, by all nodes
	peers := n * float64(l.Zones-1) / float64(l.Zones)    // of a node, in other zones
	syncGB := rows * l.RowBytes * peers * 3600 * hoursDay / bytesGB
	callGB := b.Mean * l.RequestBytes * 3600 * hoursDay / bytesGB
	b.Lines = []Line{
		{"instances", n * p.Instance * hoursDay, "t3.medium, on demand"},
		{"CPU above the baseline", credits(b.Mean*vcpu, n) * p.CPUCredits * hoursDay, "unlimited credits: what the day's mean is above 20 % of each vCPU"},
		{"disks", n * l.DiskGB * p.DiskGBMonth * hoursDay / hoursMonth, "gp3"},
		{"load balancer", (p.Balancer + p.NLCU*callGB/hoursDay/nlcuGB) * hoursDay, "network load balancer; its capacity units by bytes, connections are kept"},
		{"calls between zones", callGB * float64(l.Zones-1) / float64(l.Zones) * p.ZoneGB, "the load balancer spreads over all zones"},
		{"synchronisation between zones", syncGB * p.ZoneGB, "rows to every peer"},
	}
	for _, line := range b.Lines {
		b.PerDay += line.PerDay
	}
	b.PerMillion = b.PerDay / (b.Mean * 86400 / 1e6)
	const disks, rowsSent = 2, 5 // what a service in front of a cache does without
	b.Others = others(b.Mean, b.PerDay-b.Lines[disks].PerDay-b.Lines[rowsSent].PerDay)
	return b
}

// credits is how many vCPUs are used above the baseline, averaged over a day:
// over so long credits earned and spent even out.
func credits(used, n float64) float64 { return math.Max(0, used-n*VCPUs*Baseline) }

// instances is how many carry the surge though a zone is lost, at least one a
// zone.
func instances(l Load, capacity float64) (n int, why string) {
	n = l.Zones
	why = "one in every zone"
	for left(n, l.Zones)*capacity < l.Surge {
		n++
		why = "the surge, with one zone lost"
		if l.Zones == 1 {
			why = "the surge"
		}
	}
	return n, why
}

// left is how many of n nodes there are when the largest zone is lost; with a
// single zone nothing is spared.
func left(n, zones int) float64 {
	if zones == 1 {
		return float64(n)
	}
	return float64(n - (n+zones-1)/zones)
}
