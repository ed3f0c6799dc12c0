package main

import (
	"bytes"
	"strings"
	"testing"
)

// The demo is a promise as much as a show: its short form has to end with
// every bound held and every node in agreement with the clients.
func TestDemoHoldsItsBounds(t *testing.T) {
	var out, progress bytes.Buffer
	args := []string{
		"-span", "3m", "-speedup", "30", "-workers", "8",
		"-chat", "../../testdata/traces/azure_llm_2023_conv_1s.csv.gz", "-agents", "../../testdata/traces/servegen_msmall_agents_1s.csv.gz",
	}
	if code := run(t.Context(), args, &out, &progress); code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, out.String(), progress.String())
	}
	for _, want := range []string{"admitted ÷ central", "Every node counts exactly what the clients were granted."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, out.String())
		}
	}
}

func TestDemoRefusesWrongFlags(t *testing.T) {
	for _, args := range [][]string{{"-speedup", "0"}, {"-nonsense"}, {"extra"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("%v: exit code %d, %q", args, code, errs.String())
		}
	}
}
