package mutant

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every bug still fits the code, and says who it is and what it breaks.
func TestPlantedBugsFit(t *testing.T) {
	root, err := Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Weave(root, t.TempDir(), All()); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, m := range All() {
		switch {
		case m.Name == "" || m.Why == "" || len(m.Edits) == 0 || len(m.Breaks) == 0:
			t.Errorf("%q lacks something: %+v", m.Name, m)
		case seen[m.Name]:
			t.Errorf("%q is there twice", m.Name)
		}
		seen[m.Name] = true
		for _, e := range m.Edits {
			if e.Old == e.New {
				t.Errorf("%q changes nothing", m.Name)
			}
		}
	}
}

// The bugs that are found at once are; it takes the gate to look for them all.
func TestQuickBugsAreCaught(t *testing.T) {
	root, err := Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := Build(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Remove()
	quick := map[string]bool{
		"gap": true, "doublecount": true, "mergenotflushed": true, "reuseid": true, "eagergc": true,
		"sealregs": true, "markuncharged": true, "regindex": true, "nofsync": true,
	}
	var caught []Outcome
	for _, o := range b.HuntAll(t.Context(), 2, func(m *Mutant) bool { return quick[m.Name] }, func(*Outcome) {}) {
		if !o.Caught() {
			t.Errorf("%s escaped: %v %+v", o.Mutant.Name, o.Err, o.Report)
			continue
		}
		t.Logf("%s: %s at seed %d: %s", o.Mutant.Name, o.Report.Caught.Invariant, o.Report.Caught.Seed, o.Report.Caught.Detail)
		caught = append(caught, o)
	}
	if len(caught) != len(quick) {
		t.Errorf("%d of %d bugs were caught", len(caught), len(quick))
	}
	if err := b.Control(t.Context(), caught); err != nil {
		t.Error(err)
	}
}

const victim = `package p

type T struct{}

func (t *T) double(n int) int { return 2 * n }

func (t T) none() { _ = t }

func twice() int { return 1 + 1 }
`

func weaveVictim(t *testing.T, edits ...Edit) (string, error) {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "v.go"), []byte(victim), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "v.go"), mustDir(t, root, "p")+"/v.go"); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if _, err := Weave(root, out, []Mutant{{Name: "bug", Edits: edits}}); err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(out, "p-v.go"))
	return string(text), err
}

func mustDir(t *testing.T, root, name string) string {
	t.Helper()
	dir := filepath.Join(root, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The faulty body stands before the good one, which stays as it is.
func TestWeave(t *testing.T) {
	text, err := weaveVictim(t, Edit{"p.(*T).double", "2 * n", "3 * n"}, Edit{"p.T.none", "_ = t", "_, _ = t, t"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`if planted.On(1) {/*line planted-bug:1:1*/ return 3 * n }`,
		"_, _ = t, t \nreturn\n}",
		"return 2 * n",
		"internal/mutant/planted",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// A bug whose text is not in the code any more, or twice, is told by its name.
func TestWeaveRefusesWhatDoesNotFit(t *testing.T) {
	for name, e := range map[string]Edit{
		"its text is found 0 times": {"p.twice", "2 + 2", "3"},
		"its text is found 2 times": {"p.twice", "1", "3"},
		"there is no function":      {"p.thrice", "1", "3"},
		"does not name a function":  {"p", "1", "3"},
	} {
		_, err := weaveVictim(t, e)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), `"bug"`) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

// What breaks first is read from what the crash tests print.
func TestReadFailure(t *testing.T) {
	for text, want := range map[string]Catch{
		"--- FAIL: TestX/7\n  world_test.go:1: seed 7: n1 as 3: I10: gone\nthe last steps:\n": {7, "I10", "n1 as 3: I10: gone"},
		"goroutine 1\npanic: index out of range [recovered]\n":                                {0, Panicked, "index out of range [recovered]"},
	} {
		if got := readFailure([]byte(text)); got != want {
			t.Errorf("%q: %+v, not %+v", text, got, want)
		}
	}
}

// A hunt that is given up is an error, not an escape.
func TestHuntGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := &Binaries{hunt: "/bin/cat", crash: "/bin/cat", tree: t.TempDir()}
	for _, m := range []Mutant{{Name: "a"}, {Name: "b", Crash: "TestX"}} {
		if r, err := b.Hunt(ctx, 1, &m); err == nil {
			t.Errorf("%+v without an error", r)
		}
	}
}
