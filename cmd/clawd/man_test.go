package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheManualHasEveryCommand: a page for each command that help lists, which
// names each of its options.
func TestTheManualHasEveryCommand(t *testing.T) {
	dir := t.TempDir()
	if code := run([]string{"man", dir}, strings.NewReader(""), io.Discard, os.Stderr); code != 0 {
		t.Fatalf("clawd man ended with %d", code)
	}
	for page, words := range map[string][]string{
		"clawd.1":             {".SH SEE ALSO", "clawd\\-serve"},
		"clawd-serve.1":       {`\-\-gossip\-key\-file`, ".SH EXAMPLES", "(default 127.0.0.1:8080)"},
		"clawd-members.1":     {"clawd\\-members\\-forget"},
		"clawd-policy-list.1": {".SH NAME"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, word := range words {
			if !strings.Contains(string(text), word) {
				t.Errorf("%s does not say %q", page, word)
			}
		}
	}
}

func TestRoffIsNotMistakenForCommands(t *testing.T) {
	for in, want := range map[string]string{
		".TH":     `\&.TH`,
		"'quoted": `\&'quoted`,
		`a\b`:     `a\eb`,
		"--addr":  `\-\-addr`,
	} {
		if got := roff(in); got != want {
			t.Errorf("roff(%q) is %q, want %q", in, got, want)
		}
	}
}
