package mutant

// folding are bugs in the bucket: refill, forfeits, predictions and the shares
// of silent peers.
var folding = []Mutant{
	{
		Name:   "clamp1h",
		Why:    "a refill counts one hour at most, as a guard against clocks that jump",
		Edits:  []Edit{{"ratelimit.(*Limit).refill", "bits.Mul64(uint64(dt), l.RateNum)", "bits.Mul64(uint64(min(dt, int64(time.Hour))), l.RateNum)"}},
		Breaks: []string{"I7", "I8", "I15"},
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
		Edits:  []Edit{{"node/replica.(*Replica).captureLocked", "if c.present {", "if c.present && (c.hasOwn() && c.own.TS == k.ts || len(c.slots()) == 0) {"}},
		Breaks: []string{"I7", "I8"},
	},
	{
		Name:   "nocheckpoint",
		Why:    "the level is not written down at all: a restart finds full buckets",
		Edits:  []Edit{{"node/replica.(*Replica).captureLocked", "if c.present {", "if false {"}},
		Breaks: []string{"I7", "I8"},
	},
	{
		Name:   "lostcarry",
		Why:    "the fraction of a µtok that a refill leaves over is thrown away",
		Edits:  []Edit{{"ratelimit.(*Limit).refill", "bits.Add64(lo, carry, 0)", "bits.Add64(lo, carry&0, 0)"}},
		Breaks: []string{"I8"},
	},
	{
		Name:   "refilltoomuch",
		Why:    "each refill counts a microsecond too much",
		Edits:  []Edit{{"ratelimit.(*Bucket).Advance", "l.refill(now-b.last, b.carry)", "l.refill(now-b.last+1000, b.carry)"}},
		Breaks: []string{"I8"},
	},
	{
		Name:   "claimall",
		Why:    "a peer may claim all that was ever forfeited, not only what was since it was heard",
		Edits:  []Edit{{"ratelimit.(*Bucket).claim", "min(uint64(n), b.forfeited-m.f)", "min(uint64(n), b.forfeited)"}},
		Breaks: []string{"I8"},
	},
	{
		Name:   "rotatelive",
		Why:    "the mark of a silent peer moves on when the live ones are heard",
		Edits:  []Edit{{"ratelimit.(*Bucket).hear", "held, all := v.oldest(now)", "held, all := v.oldest(now)\nfor _, o := range v.Peers {\nfor i := range b.peers {\nif h := o.heard(); h > b.peers[i].at && h <= now {\nb.peers[i].f = b.forfeited\n}\n}\n}"}},
		Breaks: []string{"I7"},
		Seeds:  20000,
	},
	{
		Name:   "predictionkept",
		Why:    "a prediction is given back at each row and never taken off",
		Edits:  []Edit{{"ratelimit.(*peerState).takeBack", "p.ph, p.owed = 0, 0", "p.owed = 0"}},
		Breaks: []string{"I8"},
	},
	{
		Name:   "predictionuncut",
		Why:    "what all peers are expected to consume may be more than what is refilled",
		Edits:  []Edit{{"ratelimit.(*Bucket).expect", "total > most {", "total > most && most < 0 {"}},
		Breaks: []string{"I7", "I15"},
	},
	{
		Name:   "restorefull",
		Why:    "a bucket that comes back from disk forgets that it was in debt",
		Edits:  []Edit{{"ratelimit.Restore", "min(max(ck.Level, -l.Floor), l.Capacity)", "min(max(ck.Level, 0), l.Capacity)"}},
		Breaks: []string{"I7", "I8"},
	},
}
