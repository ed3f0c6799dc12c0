package chaos

import (
	"fmt"
	"strings"
	"time"
)

// Table renders results for a page.
func Table(results []Result) string {
	var b strings.Builder
	b.WriteString("| fault | nodes | requests | admitted | ideal | during | after | overshoot | bound | forgotten sync, reserve | forgotten async (allowed) | client errors | agreed after |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %.2f | %.2f | %.0f | %.0f | %d | %d (%d) | %d | %v |\n",
			r.Fault, r.Nodes, r.Requests, r.Admitted, r.Ideal, r.During, r.Recovered, r.Overshoot, r.Bound,
			r.Forgotten, r.ForgottenAsync, r.MayForget, r.Errors, r.Converge.Round(10*time.Millisecond))
	}
	return b.String()
}

// Legend tells what each fault does.
func Legend(faults []Fault) string {
	var b strings.Builder
	for _, f := range faults {
		fmt.Fprintf(&b, "- **%s**: %s.\n", f.Name, f.About)
	}
	return b.String()
}
