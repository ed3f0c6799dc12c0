package sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// freshSeeds is how many schedules `go test` runs besides the regressions; `make
// sim` runs other ones for as long as one likes.
const freshSeeds = 1200

// What is so common that it must happen in that many; the rest is for `make sim`.
var common = []cov{
	covDenied, covMarkAwaited, covAtomic, covRefund, covReset, covAgentDeleted, covPolicy, covKVPut, covKVDelete, covIncrement,
	covMultiPage, covGap, covRelayed, covDup, covDamaged, covSplit, covOneWay, covAudit, covBirth, covCollected, covRetired,
	covCrash, covCrashInFlush, covFlushRefused, covRecovered, covDiskLost, covDiskFull, covDiskFailed, covBootstrap, covLeave,
	covForgotten, covPause, covClockJump, covOvershoot, covOvershootChecked, covReleased, covEvicted,
}

func TestFreshSeeds(t *testing.T) {
	t.Parallel()
	var coverage Coverage
	n := uint64(freshSeeds)
	if raceEnabled {
		n /= 10 // ten times slower, and nothing here runs at the same time as anything else
	}
	for seed := uint64(1); seed <= n; seed++ {
		if v := Run(NewPlan(seed), Options{Coverage: &coverage}).Violation; v != nil {
			t.Fatalf("seed %d: %v\nmake sim SEED=%d tells the story", seed, v, seed)
		}
	}
	if raceEnabled {
		return
	}
	for _, c := range common {
		if coverage.of[c] == 0 {
			t.Errorf("never seen in %d schedules: %s", n, covNames[c])
		}
	}
}

// A seed that is told in a report must bring about the same again, to the last
// word of its story.
func TestSameSeedSameStory(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 40; seed++ {
		first := Run(NewPlan(seed), Options{Story: true})
		again := Run(NewPlan(seed), Options{Story: true})
		if first.Story != again.Story {
			t.Fatalf("seed %d:\n%s\nand then\n%s", seed, first.Story, again.Story)
		}
		if first.Tally != again.Tally {
			t.Errorf("seed %d: %+v, and then %+v", seed, first.Tally, again.Tally)
		}
		if first.Story == "" {
			t.Errorf("seed %d has no story", seed)
		}
	}
}

// Every invariant that a violation can name is told what it promises.
func TestPromisesAreTold(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	seen := make(map[string]bool)
	for _, p := range Promises() {
		for _, name := range strings.Split(p.Check, ", ") {
			if !strings.Contains(source.String(), ") "+name+"(") {
				t.Errorf("%s is looked after by %s, which is not there", p.Invariant, name)
			}
		}
		if !strings.Contains(source.String(), `w.fail("`+p.Invariant+`"`) {
			t.Errorf("nothing fails for %s", p.Invariant)
		}
		if p.Says == "" || p.Check == "" || seen[p.Invariant] {
			t.Errorf("%+v", p)
		}
		seen[p.Invariant] = true
	}
	for c := range covCount {
		if covNames[c] == "" {
			t.Errorf("counter %d has no name", c)
		}
	}
}
