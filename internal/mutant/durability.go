package mutant

// durability are bugs in what the modes reserve and sync promise.
var durability = []Mutant{
	{
		Name:   "markuncharged",
		Why:    "a start does not charge what the last run may have admitted under its mark",
		Edits:  []Edit{{"node/replica.(*Replica).chargeMarks", "if hw.Mark > flushed {", "if hw.Mark > flushed && flushed > hw.Mark {"}},
		Breaks: []string{"I10"},
	},
	{
		Name:   "markwhole",
		Why:    "a start charges the whole mark, and not what of it the last run had not written",
		Edits:  []Edit{{"node/replica.(*Replica).chargeMarks", "hw.Mark - flushed}", "hw.Mark}"}},
		Breaks: []string{"I10"},
	},
	{
		Name:   "beyondmark",
		Why:    "a request is admitted that reaches beyond the durable mark by less than one step",
		Edits:  []Edit{{"node/replica.(*Replica).coveredLocked", "need <= c.marks().mark {", "need <= c.marks().mark+reserveStep(c.limit()) {"}},
		Breaks: []string{"I10"},
	},
	{
		Name:   "markbeforesync",
		Why:    "a mark counts from when it is captured, not from when it is durable",
		Edits:  []Edit{{"node/replica.(*capture).raiseMark", "m.want, m.rebirth = 0, false", "m.mark, m.want, m.rebirth = want, 0, false"}},
		Breaks: []string{"I10"},
	},
	{
		Name:   "syncearly",
		Why:    "an answer under sync waits for a flush that has already taken its cells",
		Edits:  []Edit{{"node/replica.(*Replica).waitOf", "return r.epoch.Load()", "return r.epoch.Load() - 1"}},
		Breaks: []string{"I10"},
	},
	{
		Name:   "sendbeforesync",
		Why:    "rows under a reserve mark leave before their fsync: a crash charges again what the peers give back",
		Edits:  []Edit{{"node/replica.(*Replica).writeOwnRow", "k.careful = true", "k.careful = false"}},
		Breaks: []string{"D4"},
	},
	{
		Name:   "marktwice",
		Why:    "a start charges the marks and leaves them for the next one",
		Edits:  []Edit{{"node/replica.(*Replica).chargeMarks", "f.Batch.DeleteHighWater(key)", "_ = key"}, {"node/replica.(*capture).raiseMark", "k.batch.DeleteHighWater(key)", "_ = key"}},
		Breaks: []string{"I10"},
	},
	{
		Name:   "laststopmarks",
		Why:    "a clean stop leaves its marks, which charge the next start for nothing",
		Edits:  []Edit{{"node/replica.(*Replica).BeginLastFlush", "f.Batch.DeleteHighWater(key)", "_ = key"}},
		Breaks: []string{"I10"},
	},
}
