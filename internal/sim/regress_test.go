package sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Plans that once broke a promise stay for ever. Each file is a shrunk plan,
// named after what was wrong; the commit that added it tells the story.
func TestRegressions(t *testing.T) {
	files, err := filepath.Glob("testdata/regressions/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no regressions found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			plan := readPlan(t, file)
			if v := Run(plan, Options{}).Violation; v != nil {
				t.Fatalf("%v\n%s", v, Run(plan, Options{Story: true}).Story)
			}
		})
	}
}

func readPlan(t *testing.T, file string) *Plan {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := UnmarshalPlan(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return plan
}
