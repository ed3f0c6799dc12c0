package mutant

// folding are bugs in the bucket: refill, forfeits, predictions and the shares
// of silent peers.
var folding = []Mutant{
	{
		Name:   "clamp1h",
		Why:    "a refill counts one hour at most, as a guard against clocks that jump",
		Edits:  []Edit{{"ratelimit.(*Limit).refill", "bits.Mul64(uint64(dt), l.RateNum)", "bits.Mul64(uint64(min(dt, int64(time.Hour))), l.RateNum)"}},
		Breaks: []string{"I8", "I15"},
	},
	{
		Name:   "onemore",
		Why:    "a request passes when the bucket holds one token less than it asks for",
		Edits:  []Edit{{"ratelimit.(*Bucket).Admit", "n > b.level", "n > b.level+Token"}},
		Breaks: []string{"I7", "I8"},
	},
	{
		Name:   "overfull",
		Why:    "what is given back is added without a look at the capacity",
		Edits:  []Edit{{"ratelimit.(*Bucket).add", "n > room", "n > 2*room+1000"}},
		Breaks: []string{"I7", "I8"},
	},
	{
		Name:   "nofloor",
		Why:    "what peers report takes a bucket as deep into debt as it says",
		Edits:  []Edit{{"ratelimit.(*Bucket).Observe", "min(news, b.credit(l))", "news"}},
		Breaks: []string{"I7", "I15"},
	},
	{
		Name:   "sharekept",
		Why:    "the share of a failed peer is never released",
		Edits:  []Edit{{"node/replica.(*Replica).Tick", "p.facts.Release(now.Mono)\n", "\n"}},
		Breaks: []string{"I15"},
	},
	{
		Name:   "minorityreleases",
		Why:    "every side releases the shares of the others",
		Edits:  []Edit{{"node/replica.(*Replica).majority", "2*seen > total ||", "2*seen >= total-1 ||"}},
		Breaks: []string{"C5"},
	},
	{
		Name:   "kmerge",
		Why:    "the level is written down with own consumption only, not when a peer's is merged",
		Edits:  []Edit{{"node/replica.(*Replica).captureLocked", "if c.present {", "if c.present && (c.slotOf(r.run) != nil && c.slotOf(r.run).row.TS == k.ts || len(c.slots) == 0) {"}},
		Breaks: []string{"I7", "I8"},
	},
	{
		Name:   "nocheckpoint",
		Why:    "the level is not written down at all: a restart finds full buckets",
		Edits:  []Edit{{"node/replica.(*Replica).captureLocked", "if c.present {", "if false {"}},
		Breaks: []string{"I7", "I8"},
	},
}
