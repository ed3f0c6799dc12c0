package glob

import "strings"

// wildcards are the bytes of a pattern that do not stand for themselves.
const wildcards = "*?"

// IsPattern reports whether s has a wildcard, so that it may match other names
// than itself.
func IsPattern(s string) bool { return strings.ContainsAny(s, wildcards) }

// Match reports whether the pattern matches all of name: '*' stands for any run of
// bytes, also an empty one and also '/' and ':', '?' for one byte. It takes at
// most len(pattern)·len(name) steps: when a tail does not fit, only the last
// '*' has to swallow one byte more, since the earliest fit of all before it is
// as good as any.
func Match(pattern, name string) bool {
	var p, n int
	star, resume := -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
