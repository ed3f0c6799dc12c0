package mutant

// flushing are bugs on the way from memory to disk and to the peers.
var flushing = []Mutant{
	{
		Name:   "nobirth",
		Why:    "a row that the peers may have collected is continued instead of begun anew",
		Edits:  []Edit{{"node/replica.(*Replica).writeOwnRow", "r.outdated(k.stamp, row) ||", ""}},
		Breaks: []string{"I4"},
	},
	{
		Name:   "birthbyclock",
		Why:    "a new generation begins when the old row is idle by the clock, whoever has yet to hear of it",
		Edits:  []Edit{{"node/replica.(*Replica).writeOwnRow", "r.outdated(k.stamp, row) ||", "r.outdated(k.now.Wall, row) ||"}},
		Breaks: []string{"I3", "I4"},
	},
	{
		Name:   "mergenotflushed",
		Why:    "a row of a peer is folded into memory and never marked for the disk, while its vector is",
		Edits:  []Edit{{"node/replica.(*Replica).joinRow", "r.markDirtyLocked(sh, c)", "_ = c"}},
		Breaks: []string{"I1", "I2", "I4"},
	},
	{
		Name:   "revertlost",
		Why:    "what a refused flush took is not put back",
		Edits:  []Edit{{"node/replica.(*Replica).revertShard", "r.markDirtyLocked(sh, c)", "_ = c"}},
		Breaks: []string{"I1", "I2", "I4"},
	},
	{
		Name:   "resendlost",
		Why:    "rows of pages that never left, since their flush was refused, are left out of the next ones",
		Edits:  []Edit{{"node/replica.(*Replica).revertShard", "c.resend = true", "c.resend = false"}},
		Breaks: []string{"I2", "I3"},
	},
	{
		Name:   "revertindex",
		Why:    "a refused flush forgets where the index on disk still lists a row",
		Edits:  []Edit{{"node/replica.(*Replica).revertShard", "s.disk = m.disk", "_ = s"}},
		Breaks: []string{"I2", "I3", "I5", "index"},
	},
	{
		Name:   "evictdirty",
		Why:    "a cell is put out of memory although it waits for a flush",
		Edits:  []Edit{{"node/replica.(*Replica).evictable", "c.dirty != clean ||", ""}},
		Breaks: []string{"I4", "I5", "I10", "I11", "E6"},
	},
	{
		Name:   "denialbooked",
		Why:    "a denied request is booked as consumption",
		Edits:  []Edit{{"node/replica.(*Replica).consumeLocked", "if out.Decision.Allowed {", "if out.Decision.Allowed || n > 0 {"}},
		Breaks: []string{"I4"},
	},
	{
		Name:   "halfbatch",
		Why:    "an atomic batch that is denied keeps what its first parts took",
		Edits:  []Edit{{"node/replica.(*Replica).consumeAtomic", "b.Allowed = false\n", "b.Allowed = false\nr.takeLocked(p.sh, p.c, uint64(p.tokens))\n"}},
		Breaks: []string{"I4"},
	},
	{
		Name:   "refundrow",
		Why:    "a refund is limited by what this run consumed, not by what everybody did",
		Edits:  []Edit{{"node/replica.(*Replica).Refund", "c.refundable()", "min(c.refundable(), c.ownConsumed())"}},
		Breaks: []string{"I11"},
	},
	{
		Name:   "refundall",
		Why:    "a refund is not limited by what was consumed",
		Edits:  []Edit{{"node/replica.(*Replica).Refund", "min(uint64(q.Tokens), c.refundable())", "uint64(q.Tokens)"}},
		Breaks: []string{"I11"},
	},
	{
		Name:   "reuseid",
		Why:    "a process that starts again goes on under the run of the one before it",
		Edits:  []Edit{{"node/replica.Open", "r := newReplica(o, now)", "if last, known, _ := o.Store.CurrentRun(); known {\no.Run = last.Origin\n}\nr := newReplica(o, now)"}},
		Breaks: []string{"I1", "I4", "I5"},
	},
	{
		Name:   "refusedunacked",
		Why:    "rows that were pushed with a flush that was then refused are not waited for",
		Edits:  []Edit{{"node/replica.(*Replica).revert", "r.noteFlushed(f)", "_ = f"}},
		Breaks: []string{"I3", "I4"},
		Seeds:  10000,
	},
}
