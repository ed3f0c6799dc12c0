package doctest

import "strings"

// anything stands for any text in expected output.
const anything = "…"

// matches reports whether got is what a page shows. Empty lines at the ends and
// the number of blanks are layout: the columns of a table are as wide as their
// widest cell.
func matches(want []string, got string) bool {
	if len(want) == 0 {
		return true
	}
	return matchLines(tidy(want), tidy(strings.Split(got, "\n")))
}

func tidy(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.Join(strings.Fields(line), " ")
	}
	for len(out) > 0 && out[0] == "" {
		out = out[1:]
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

func matchLines(want, got []string) bool {
	for i, line := range want {
		if line != anything {
			if i >= len(got) || !matchLine(line, got[i]) {
				return false
			}
			continue
		}
		for skip := i; skip <= len(got); skip++ {
			if matchLines(want[i+1:], got[skip:]) {
				return true
			}
		}
		return false
	}
	return len(got) == len(want)
}

// matchLine compares a line in which "…" stands for any text, even none.
func matchLine(want, got string) bool {
	parts := strings.Split(want, anything)
	if len(parts) == 1 {
		return want == got
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(got, first) {
		return false
	}
	got = got[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(got, part)
		if !found {
			return false
		}
		got = after
	}
	return strings.HasSuffix(got, last)
}
