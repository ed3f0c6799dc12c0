package mutant

// onDisk are bugs in what reaches the disk together and when, which the crash
// tests have to catch on the real store.
var onDisk = []Mutant{
	{
		Name:   "nofsync",
		Why:    "a commit that was asked to sync does not",
		Edits:  []Edit{{"storage.(*pebbleEngine).Apply", "opts = pebble.Sync", "opts = pebble.NoSync"}},
		Breaks: []string{"I4", "I10"},
		Crash:  "TestCrashAtEachFlushBoundary", Seeds: 5,
	},
	{
		Name:   "emptynosync",
		Why:    "an empty commit, which is to make the earlier ones durable, does nothing",
		Edits:  []Edit{{"storage.(*pebbleEngine).Apply", "err = e.db.LogData(nil, opts) // Pebble skips empty batches, synced ones too", "err = nil"}},
		Breaks: []string{"I4", "I10"},
		Crash:  "TestCrashAtEachFlushBoundary", Seeds: 5,
	},
	{
		Name:   "crashuncharged",
		Why:    "a start does not charge what the last run may have admitted under its mark, on the real store",
		Edits:  []Edit{{"node/replica.(*Replica).chargeMarks", "if hw.Mark > flushed {", "if hw.Mark > flushed && flushed > hw.Mark {"}},
		Breaks: []string{"I10"},
		Crash:  "TestCrashAtRandomPoints", Seeds: 10,
	},
	{
		Name:   "chargedtwice",
		Why:    "a start charges the marks and leaves them to be charged again after a crash",
		Edits:  []Edit{{"node/replica.(*Replica).chargeMarks", "f.Batch.DeleteHighWater(key)", "_ = key"}, {"node/replica.(*capture).raiseMark", "k.batch.DeleteHighWater(key)", "_ = key"}},
		Breaks: []string{"I10"},
		Crash:  "TestCrashWhileRecovering", Seeds: 3,
	},
	{
		Name:   "vectorapart",
		Why:    "the vectors are written in a batch of their own, before the rows they speak of",
		Edits:  []Edit{{"node/replica.(*Replica).assemble", "f.Batch.PutVector(o, storage.Vector{Seq: v.Seq, Stable: v.Stable})", "first := storage.NewBatch()\nfirst.PutVector(o, storage.Vector{Seq: v.Seq, Stable: v.Stable})\n_ = r.store.Commit(first, true)"}},
		Breaks: []string{"I2", "I4", "I5"},
		Crash:  "TestCrashAtEachFlushBoundary", Seeds: 5,
	},
	{
		Name:   "sealedrunreused",
		Why:    "a process that starts again goes on under the run that the disk names",
		Edits:  []Edit{{"node/replica.Open", "r := newReplica(o, now)", "runs, _ := o.Store.Runs()\nfor run, d := range runs {\nif d.Node == o.Node {\no.Run = run\n}\n}\nr := newReplica(o, now)"}},
		Breaks: []string{"I1", "I4", "I5"},
		Crash:  "TestCrashAtEachFlushBoundary", Seeds: 5,
	},
	{
		Name:   "revertforgets",
		Why:    "what a refused flush took is not put back, on the real store",
		Edits:  []Edit{{"node/replica.(*Replica).revertShard", "r.markDirtyLocked(sh, c)", "_ = c"}},
		Breaks: []string{"I2", "I3", "I4", "I10"},
		Crash:  "TestStoreThatRefusesWrites", Seeds: 5,
	},
}
