package mutant

// collection are bugs in how rows, runs and tombstones are dropped.
var collection = []Mutant{
	{
		Name:   "eagergc",
		Why:    "rows of others are collected by their age on this node's clock",
		Edits:  []Edit{{"node/replica.(*Replica).collectable", "stableTime{r.recv.Vector(o).Stable, r.savedStable[o]}", "stableTime{now.Wall, now.Wall}"}},
		Breaks: []string{"I1", "I3", "I4"},
	},
	{
		Name:   "gdiff",
		Why:    "two nodes have different ideas of how long a row is kept",
		Edits:  []Edit{{"node/replica.(*Replica).collectable", "stableTime{r.recv.Vector(o).Stable, r.savedStable[o]}", "stableTime{r.recv.Vector(o).Stable + r.opts.Idle.Milliseconds()/2, r.savedStable[o] + r.opts.Idle.Milliseconds()/2}"}},
		Breaks: []string{"I1", "I3", "I4"},
	},
	{
		Name:   "stampnow",
		Why:    "a page is stamped with the time it leaves, though its rows are of an earlier one and some members miss others",
		Edits:  []Edit{{"node/replica.(*Replica).IdlePage", "Stable: r.own.stamp,", "Stable: now.Wall,"}, {"node/replica.(*Replica).ownPages", "g.Close(upto, r.own.stamp)", "g.Close(upto, now.Wall)"}},
		Breaks: []string{"I1", "I3", "I4"},
	},
	{
		Name:   "unackedstamp",
		Why:    "the stable time moves on although a member has not acknowledged a row",
		Edits:  []Edit{{"node/replica.(*Replica).restamp", "may = min(may, m.ts+r.opts.Idle.Milliseconds()-1)", "_ = m"}},
		Breaks: []string{"I1", "I3", "I4"},
	},
	{
		Name:   "retirelive",
		Why:    "only members that are alive are waited for before a dead run's rows go",
		Edits:  []Edit{{"node/replica.(*Replica).otherMembers", "!r.member.gone(n) {", "!r.member.gone(n) && r.peers[n].state == PeerAlive {"}},
		Breaks: []string{"I1", "I3", "I4"},
	},
	{
		Name:   "retireunasked",
		Why:    "a dead run's rows go as soon as it is over, whoever misses some",
		Edits:  []Edit{{"node/replica.(*Replica).runDue", " && r.acks.Agree(o, have, members, quiet)", " || len(members) < 0"}},
		Breaks: []string{"I1", "I3", "I4", "I13"},
	},
	{
		Name:   "sealforgotten",
		Why:    "an older run of a node is not ended when a newer one is heard of",
		Edits:  []Edit{{"node/replica.(*Replica).learnRun", "r.supersede(joined)", "_ = joined"}},
		Breaks: []string{"I13"},
	},
	{
		Name:   "sealregs",
		Why:    "the registers of a dead run go from the index with it",
		Edits:  []Edit{{"node/replica.(*Replica).retire", "r.adopt(now, o, left)\n\t\t\tcontinue", "_ = left"}},
		Breaks: []string{"I3", "index"},
	},
	{
		Name:   "lateadmitted",
		Why:    "rows of a run that was collected are joined when they arrive late",
		Edits:  []Edit{{"node/replica.(*Replica).mergePage", "if r.collected[p.Run.Origin] {", "if r.collected[p.Run.Origin] && p.Collected {"}},
		Breaks: []string{"I1", "I4", "I13"},
	},
	{
		Name:   "collectedforgotten",
		Why:    "that a run's rows may be dropped is not written down before the first of them is",
		Edits:  []Edit{{"node/replica.(*Replica).takeRetired", "f.Batch.PutCollected(o)", "_ = o"}},
		Breaks: []string{"I1", "I3", "I4", "I13"},
		Seeds:  20000,
	},
	{
		Name:   "tombstoneearly",
		Why:    "a tombstone goes when it is old, though a member has yet to hear of the deletion",
		Edits:  []Edit{{"node/replica.(*Replica).collectRegisters", "r.acks.Min(o.reg.Origin, members) >= o.reg.Seq", "len(members) >= 0"}},
		Breaks: []string{"I3", "I6"},
		Seeds:  20000,
	},
	{
		Name:   "tombstoneyoung",
		Why:    "a tombstone goes as soon as everybody has it, and an old write undoes the deletion",
		Edits:  []Edit{{"node/replica.(*Replica).expired", "now.Wall - r.opts.Tombstones.Milliseconds()", "now.Wall"}},
		Breaks: []string{"I3", "I6"},
	},
	{
		Name:   "epochcollected",
		Why:    "a deleted counter's tombstone goes like any other, and with it the epoch it counts in",
		Edits:  []Edit{{"node/replica.(*Replica).collectRegisters", "if r.isEpoch(o.key, o.reg) {", "if false {"}},
		Breaks: []string{"I3", "I4", "I6", "E6"},
	},
}
