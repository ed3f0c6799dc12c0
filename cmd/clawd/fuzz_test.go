package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// FuzzPolicyValue: what a flag takes for a policy it writes in a form that it
// takes for the same policy.
func FuzzPolicyValue(f *testing.F) {
	for _, s := range []string{"1000/1h", "1000/1h,capacity=5000", "0.5/s,capacity=1", "capacity=1,refill_rate=1,interval_seconds=7", "5/7d,durability=sync,floor=0,allow_inline=false,minority=hold"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var v policyValue
		if v.Set(s) != nil || v.policy.Validate() != nil {
			return
		}
		text := v.String()
		var again policyValue
		if err := again.Set(text); err != nil {
			t.Fatalf("%q is written as %q, which is refused: %v", s, text, err)
		}
		// A flag has no word for the name and the match.
		want := v.policy
		want.Name, want.Match = "", ""
		if !reflect.DeepEqual(again.policy, want) {
			t.Fatalf("%q is written as %q, which is %+v, want %+v", s, text, again.policy, want)
		}
	})
}

// FuzzSizeValue: a size is never negative, and is written as itself.
func FuzzSizeValue(f *testing.F) {
	for _, s := range []string{"64MiB", "1GiB", "500 MB", "0", "9223372036854775807", "8589934592GiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var v, again sizeValue
		if v.Set(s) != nil {
			return
		}
		if err := again.Set(v.String()); v < 0 || err != nil || again != v {
			t.Fatalf("%q is %d, written as %q: %d, %v", s, v, v.String(), again, err)
		}
	})
}

// FuzzConfigFile: a file gives settings, or complaints that say where; neither it
// nor what is made of it ever ends the program.
func FuzzConfigFile(f *testing.F) {
	for _, s := range []string{
		"http_addr: 127.0.0.1:1\njoin: [a:1, b:2]\n", "default_policy: {capacity: 5, refill_rate: 5, interval_seconds: 60}\n",
		"join: 5\n", "a: &a [*a]\n", "flush_interval: 10ms\nhot_agents: 1e3\n", "? [x]\n: y\n", "http-addr: x\n", "{", "\t", "insecure: yes\n",
	} {
		f.Add([]byte(s))
	}
	path := filepath.Join(f.TempDir(), "clawd.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := &config{}
		flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		cfg.declare(flags)
		if err := flags.Parse([]string{"--config", path}); err != nil {
			t.Fatal(err)
		}
		_, err := cfg.options()
		report := cfg.report(err)
		if report.OK {
			var b strings.Builder
			if err := cfg.writeYAML(&b); err != nil {
				t.Fatalf("settings that were read cannot be written: %v", err)
			}
			return
		}
		for _, problem := range report.Problems {
			if strings.TrimSpace(problem) == "" {
				t.Fatalf("an empty complaint about %q", text)
			}
		}
	})
}

// FuzzPrintable: whatever anybody calls an agent, a terminal shows it and nothing
// else happens.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"agent", "\x1b[31m", "a\nb", "\u202e", "\xff", "é", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown := printable(s)
		if !utf8.ValidString(shown) || strings.ContainsFunc(shown, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0x9b || r == 0x202e }) {
			t.Fatalf("%q is shown as %q", s, shown)
		}
	})
}
