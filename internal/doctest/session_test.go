package doctest

import (
	"strings"
	"testing"
)

func newSession(t *testing.T, dir string) *session {
	t.Helper()
	s := &session{dir: dir, logs: t.TempDir(), ports: newPorts()}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEveryPortOfAPageGetsOneFreePort(t *testing.T) {
	p := newPorts()
	first, err := p.used("curl localhost:8080/a 127.0.0.1:8080/b 127.0.0.1:8082 example.com:8080")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(first)
	one, two := strings.TrimSuffix(words[1], "/a"), strings.TrimSuffix(words[2], "/b")
	if one != two || one == words[3] || strings.HasSuffix(one, ":8080") {
		t.Errorf("got %q", first)
	}
	if words[4] != "example.com:8080" {
		t.Errorf("an address elsewhere was replaced: %q", first)
	}
	if got := p.shown("at " + one); got != "at 127.0.0.1:8080" {
		t.Errorf("shown as %q", got)
	}
}

func TestASessionFailsWhereThePageIsWrong(t *testing.T) {
	s := newSession(t, t.TempDir())
	for _, row := range []struct {
		name string
		step step
		says string
	}{
		{"other output", step{command: "echo a", want: []string{"b"}}, "the page shows"},
		{"a command that fails", step{command: "echo why; false"}, "why"},
		{"a node that does not start", step{command: "bin/clawd serve"}, "ended before it was ready"},
	} {
		err := s.run(t.Context(), []step{row.step})
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	if err := s.run(t.Context(), []step{{command: "echo a > file"}, {command: "cat file", want: []string{"a"}}}); err != nil {
		t.Errorf("a page that is right: %v", err)
	}
}

func TestOnlyReadingCommandsAreRepeated(t *testing.T) {
	for command, want := range map[string]bool{
		"curl -s localhost:8080/v1/cluster":               true,
		"curl -s --json '{}' localhost:8080/v1/consume":   false,
		"curl -s -X DELETE localhost:8080/v1/kv/a":        false,
		"curl -s -T file localhost:8080/v1/kv/a":          false,
		"curl -s --data-binary @f localhost:8080/v1/kv/a": false,
		"bin/clawd peek a":                                true,
		"bin/clawd consume a":                             false,
		"echo a":                                          false,
	} {
		if got := onlyReads(command); got != want {
			t.Errorf("%s: %v, want %v", command, got, want)
		}
	}
}
