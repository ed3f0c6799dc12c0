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
		Edits:  []Edit{{"node/replica.(*Replica).coveredLocked", "need <= c.mark {", "need <= c.mark+reserveStep(c.limit) {"}},
		Breaks: []string{"I10"},
	},
	{
		Name:   "markbeforesync",
		Why:    "a mark counts from when it is captured, not from when it is durable",
		Edits:  []Edit{{"node/replica.(*capture).raiseMark", "c.markWant, c.rebirth = 0, false", "c.mark, c.markWant, c.rebirth = want, 0, false"}},
		Breaks: []string{"I10"},
	},
	{
		Name:   "syncearly",
		Why:    "an answer under sync waits for a flush that has already taken its cells",
		Edits:  []Edit{{"node/replica.(*Replica).waitOf", "return c.dirty", "return c.dirty - 1"}},
		Breaks: []string{"I10"},
	},
}
