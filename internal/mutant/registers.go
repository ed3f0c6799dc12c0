package mutant

// registers are bugs in the values of which the last writer wins: keys of the
// store, policies, and what operators say of agents and members.
var registers = []Mutant{
	{
		Name:   "wallversion",
		Why:    "a write takes the time of the clock, though what it replaces is of a later one",
		Edits:  []Edit{{"node/replica.(*Replica).writeRegister", "r.clock.NowAfter(now.Wall, have.Version)", "r.clock.Now(now.Wall)"}},
		Breaks: []string{"E4"},
	},
	{
		Name:   "arrivalwins",
		Why:    "of two values the one that arrives last wins",
		Edits:  []Edit{{"crdt.Register.Join", "if value > 0 || value == 0 &&", "if value == 0 &&"}},
		Breaks: []string{"I3", "I6"},
	},
	{
		Name:   "tiebreak",
		Why:    "two values of one version are taken for the same, whoever wrote them",
		Edits:  []Edit{{"crdt.Register.compareValue", "cmp.Compare(r.Writer, o.Writer),\n\t\tcompareBool(r.Deleted, o.Deleted),\n\t\tbytes.Compare(r.Value, o.Value),", ""}},
		Breaks: []string{"I3", "I6"},
		Seeds:  20000,
	},
	{
		Name:   "ttlascondition",
		Why:    "a value that has expired is still read",
		Edits:  []Edit{{"crdt.Register.Visible", "nowMS < r.ExpiresAt", "r.ExpiresAt > 0"}},
		Breaks: []string{"I6"},
	},
	{
		Name:   "oldepoch",
		Why:    "rows of an agent that was deleted are joined when they arrive late",
		Edits:  []Edit{{"node/replica.(*Replica).superseded", "k.Epoch < m[agentName(k.Tenant, k.Agent)].epoch", "k.Epoch+1 == 0"}},
		Breaks: []string{"I4"},
	},
	{
		Name:   "oldcounter",
		Why:    "increments of a counter that was deleted are joined when they arrive late",
		Edits:  []Edit{{"node/replica.(*Replica).counterSuperseded", "k.Epoch < reg.Version", "k.Epoch < reg.Version && reg.Seq == 0"}},
		Breaks: []string{"I4", "E6"},
	},
	{
		Name:   "regindex",
		Why:    "a register that is written again leaves its old place in the index",
		Edits:  []Edit{{"node/replica.(*Replica).captureRegisters", "f.Batch.DeleteIndex(old.Origin, old.Seq)", "_ = old"}},
		Breaks: []string{"I5", "index"},
	},
	{
		Name:   "regpresync",
		Why:    "a register is pushed before its fsync",
		Edits:  []Edit{{"node/replica.(*Replica).assemble", "f.PushEarly = false // a register leaves the node only after its fsync", "_ = w"}},
		Breaks: []string{"E2"},
	},
}
