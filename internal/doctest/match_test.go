package doctest

import (
	"strings"
	"testing"
)

func TestOutputIsComparedWithWhatThePageShows(t *testing.T) {
	for _, row := range []struct {
		want, got string
		ok        bool
	}{
		{"", "whatever", true},
		{"a", "a\n", true},
		{"a", "a  \r\n", true},
		{"a", "\na\n\n", true},
		{"a", "b", false},
		{"NAME  X", "NAME      X", true},
		{"NAMEX", "NAME X", false},
		{"a", "a\nb", false},
		{"a\nb", "a", false},
		{`{"id":"…","n":1}`, `{"id":"x","n":1}`, true},
		{`{"id":"…","n":1}`, `{"id":"","n":1}`, true},
		{`{"id":"…","n":1}`, `{"id":"x","n":2}`, false},
		{"…b…d", "abcd", true},
		{"…b…d", "abc", false},
		{"a…a", "a", false},
		{"…", "", true},
		{"…", "a\nb", true},
		{"a\n…\nd", "a\nb\nc\nd", true},
		{"a\n…\nd", "a\nd", true},
		{"a\n…\nd", "a\nb", false},
		{"…\nd\n…", "a\nd", true},
		{"…\nd\n…", "a\nb", false},
	} {
		var want []string
		if row.want != "" {
			want = strings.Split(row.want, "\n")
		}
		if ok := matches(want, row.got); ok != row.ok {
			t.Errorf("page shows %q, printed %q: %v, want %v", row.want, row.got, ok, row.ok)
		}
	}
}
