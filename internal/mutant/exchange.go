package mutant

// exchange are bugs in how nodes tell each other what they have: pages,
// sessions, vectors, acknowledgements and the joins at the end of it.
var exchange = []Mutant{
	{
		Name:   "gap",
		Why:    "a page is taken although the pages before it are missing",
		Edits:  []Edit{{"node/antientropy.(*Receiver).Admit", "p.FromSeq > have", "false"}},
		Breaks: []string{"I2", "I3"},
	},
	{
		Name:   "multifrom",
		Why:    "any page of a session is taken, whether or not it follows the last one",
		Edits:  []Edit{{"node/antientropy.(*Receiver).Admit", "follows = known && at == p.AfterSeq", "follows = known || at <= p.AfterSeq"}},
		Breaks: []string{"I2", "I3"},
	},
	{
		Name:   "truncvv",
		Why:    "the vector moves with each page, and not with the session that is whole",
		Edits:  []Edit{{"node/antientropy.(*Receiver).Done", "r.track(k, p.LastSeq())", "r.track(k, p.LastSeq())\nr.vectors[p.Run.Origin] = Vector{max(p.LastSeq(), r.vectors[p.Run.Origin].Seq), r.vectors[p.Run.Origin].Stable}"}},
		Breaks: []string{"I2", "I3"},
	},
	{
		Name:   "upto",
		Why:    "a cut-off page of a pull claims to reach as far as the whole session",
		Edits:  []Edit{{"node/replica.(*Replica).scanOrigin", "g := antientropy.Pager{Head: head,", "head.Complete, head.Upto = true, v.Seq\ng := antientropy.Pager{Head: head,"}},
		Breaks: []string{"I2", "I3"},
	},
	{
		Name:   "vvahead",
		Why:    "an answer to a pull reads rows from the view on disk and says how far they reach from memory",
		Edits:  []Edit{{"node/replica.(*Replica).AnswerPull", "v := vectors[o]\n", "v := vectors[o]\nr.merge.Lock()\nv.Seq = max(v.Seq, r.recv.Vector(o).Seq)\nr.merge.Unlock()\n"}},
		Breaks: []string{"I2", "I3"},
	},
	{
		Name:   "droprow",
		Why:    "an implausible row is left out of a page, whose vector is taken all the same",
		Edits:  []Edit{{"node/replica.(*Replica).joinRow", "if r.superseded(e) {", "if r.superseded(e) || e.Row.TS > now.Wall+5000 {"}},
		Breaks: []string{"I2", "I3", "I4"},
	},
	{
		Name:   "doublecount",
		Why:    "a row that is known already adds its whole consumption again",
		Edits:  []Edit{{"crdt.Row.Join", "joined.Consumed - r.Consumed", "joined.Consumed"}},
		Breaks: []string{"I4"},
	},
	{
		Name:   "doublecountrefund",
		Why:    "a row that is known already gives its whole refund back again",
		Edits:  []Edit{{"crdt.Row.Join", "joined.Refunded - r.Refunded", "joined.Refunded"}},
		Breaks: []string{"I4"},
	},
	{
		Name:   "lastrowwins",
		Why:    "of two rows of one generation the one that comes later replaces the other",
		Edits:  []Edit{{"crdt.Row.Join", "joined.Consumed = max(r.Consumed, o.Consumed)", "joined.Consumed = o.Consumed"}},
		Breaks: []string{"I1", "I4"},
	},
	{
		Name:   "nanwire",
		Why:    "the checksum of a message is read and not compared, so that any bytes are facts",
		Edits:  []Edit{{"crdt.openFrame", "binary.BigEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli)", "binary.BigEndian.Uint32(b[end:]) == 0 && end == 0"}},
		Breaks: []string{"I12"},
	},
	{
		Name:   "earlyack",
		Why:    "what is acknowledged is what is in memory, not what survives a crash",
		Edits:  []Edit{{"node/replica.(*Replica).acknowledged", "r.durableVV", "r.recv.Version()"}},
		Breaks: []string{"I2", "I3", "I4"},
		Seeds:  20000,
	},
	{
		Name:   "relaypush",
		Why:    "a page without rows moves the vector to what its sender has, though it begins beyond it",
		Edits:  []Edit{{"node/antientropy.(*Receiver).Admit", "p.FromSeq > have", "p.FromSeq > have && len(p.Entries) > 0"}},
		Breaks: []string{"I2", "I3"},
	},
	{
		Name:   "unsyncedpull",
		Why:    "pulls are answered from what the store shows, which a crash may still undo",
		Edits:  []Edit{{"node/replica.(*Replica).BeginFlush", "r.synced.freeze(r.store)\n", "\n"}},
		Breaks: []string{"E2", "D4"},
	},
}
