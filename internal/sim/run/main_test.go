package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		code int
		last string // line of the output
		says string // on stderr
	}{
		{"fresh seeds", []string{"-n", "5", "-from", "1"}, 0, "sim: 5 schedules, 0 violations", ""},
		{"two workers", []string{"-n", "8", "-workers", "2"}, 0, "sim: 8 schedules, 0 violations", ""},
		{"one seed", []string{"-seed", "3"}, 0, "sim: 1 schedules, 0 violations", ""},
		{"no such flag", []string{"-sed", "3"}, 2, "", "flag provided but not defined: -sed"},
		{"an argument", []string{"3"}, 2, "", `unexpected argument "3"`},
		{"no workers", []string{"-workers", "0"}, 2, "", "-workers must be 1 to 256"},
		{"no time", []string{"-duration", "0s"}, 2, "", "-duration must be positive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out, errs strings.Builder
			if code := run(c.args, &out, &errs); code != c.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out.String(), errs.String())
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if last := lines[len(lines)-1]; last != c.last {
				t.Errorf("the last line is %q, want %q", last, c.last)
			}
			if !strings.Contains(errs.String(), c.says) {
				t.Errorf("stderr is %q, want %q", errs.String(), c.says)
			}
		})
	}
}
