package mutant

// onDisk are bugs in what reaches the disk together and when, which the crash
// tests have to catch on the real store.
var onDisk = []Mutant{
	{
		Name:   "nofsync",
		Why:    "a commit that was asked to sync does not",
		Edits:  []Edit{{"storage.(*pebbleEngine).Apply", "opts = pebble.Sync", "opts = pebble.NoSync"}},
		Breaks: []string{"I10", "I2", "I4"},
		Crash:  "TestCrashAtEachFlushBoundary", Seeds: 5,
	},
}
