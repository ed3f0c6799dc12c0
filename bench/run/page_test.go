package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// emptyPage has the markers of all parts.
func emptyPage() string {
	page := "# Title\n\n<!-- bench:goals:begin -->\nold\n<!-- bench:goals:end -->\n\nkept\n"
	for _, p := range parts {
		page += "\n<!-- bench:" + p.name + ":begin -->\nold " + p.name + "\n<!-- bench:" + p.name + ":end -->\n"
	}
	return page
}

func TestOnlyWhatWasMeasuredIsRewritten(t *testing.T) {
	dir := t.TempDir()
	o := options{page: filepath.Join(dir, "page.md"), plots: filepath.Join(dir, "plots"), results: filepath.Join(dir, "results.json")}
	if err := os.WriteFile(o.page, []byte(emptyPage()), 0o600); err != nil {
		t.Fatal(err)
	}
	first := section{Name: "batch", Setup: "how", Goals: []goal{atLeast("speed", 2, 1, "%.1f")}}
	first.draw("batch.svg", "a plot", "<svg/>")
	second := section{Name: "crash", Setup: "when", Goals: []goal{atMost("loss", 2, 1, "%.1f")}}
	for _, s := range []section{first, second} { // as two runs, the later of which remembers the earlier
		if err := publish(o, []section{s}, &strings.Builder{}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(o.page)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{
		"# Title", "kept", "old consume", "1 of 2 goals are met.", "| speed | ≥ 1.0 | 2.0 | met |", "| loss | ≤ 1.0 | 2.0 | **missed** |",
		"![a plot](plots/batch.svg)", "-only crash",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("missing %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "old batch") || strings.Contains(page, "old crash") {
		t.Errorf("a measured part was kept:\n%s", page)
	}
	if svg, err := os.ReadFile(filepath.Join(o.plots, "batch.svg")); err != nil || string(svg) != "<svg/>" {
		t.Errorf("the plot: %q, %v", svg, err)
	}
}

func TestThePageHasAPlaceForEveryPart(t *testing.T) {
	text, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(partNames(), "goals") {
		if _, err := splice(string(text), name, "x"); err != nil {
			t.Error(err)
		}
	}
}

func TestAPageWithoutMarkersIsLeftAlone(t *testing.T) {
	const begin, end = "<!-- bench:a:begin -->", "<!-- bench:a:end -->"
	for _, page := range []string{"", "# Title\n", begin + "\n", end + begin} {
		if got, err := splice(page, "a", "new"); err == nil {
			t.Errorf("%q became %q", page, got)
		}
	}
}
