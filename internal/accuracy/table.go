package accuracy

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// SyncTable renders the table without partitions.
func SyncTable(rows []SyncRow) string {
	var b strings.Builder
	b.WriteString("| sync interval | nodes | 1 × the rate | 2 × | 10 × |\n|---|--:|--:|--:|--:|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %v | %d |", r.Sync, r.Nodes)
		for i, got := range r.Run {
			fmt.Fprintf(&b, " **%.0f** (%.0f; ≤ %.0f) %.2f |", got.Over, r.Model[i], got.Bound, got.Ratio)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// CutTable renders the table with a partition.
func CutTable(rows []CutRow) string {
	var b strings.Builder
	b.WriteString("| rule | nodes | load | overshoot (model) | during (model) | 20 s after (model) |\n|---|--:|--:|--:|--:|--:|\n")
	for _, r := range rows {
		model := [3]string{"–", "–", "–"}
		if m := r.Model; m != nil {
			model = [3]string{fmt.Sprintf("%.0f", m.Over), fmt.Sprintf("%.2f", m.InCut), fmt.Sprintf("%.2f", m.Healing)}
		}
		fmt.Fprintf(&b, "| %s | %d | %g × | **%.0f** (%s) | **%.2f** (%s) | **%.2f** (%s) |\n",
			r.Rule, r.Nodes, r.Load, r.Run.Over, model[0], r.Run.InCut, model[1], r.Run.Healing, model[2])
	}
	return b.String()
}

const (
	begin = "<!-- accuracy:begin -->\n"
	end   = "<!-- accuracy:end -->"
	parts = "<!-- accuracy:cut -->\n"
)

var errNoMarkers = errors.New("accuracy: the page has no markers for the tables")

// Page returns what stands between the markers of the page.
func Page(sync []SyncRow, cut []CutRow) string {
	return begin + SyncTable(sync) + "\n" + parts + CutTable(cut) + end
}

// WriteTables replaces what is between the markers of a page.
func WriteTables(path string, sync []SyncRow, cut []CutRow) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return errNoMarkers
	}
	return os.WriteFile(path, []byte(before+Page(sync, cut)+after), 0o600)
}
