package replay

import (
	"testing"

	"github.com/openclaw/clawd/internal/trace"
	"github.com/openclaw/clawd/mlrefill"
)

func TestX(t *testing.T) {
	m := mlrefill.NewModel(mlrefill.DefaultPrior())
	for _, f := range []string{"../testdata/traces/azure_llm_2023_conv_1s.csv.gz", "../testdata/traces/servegen_msmall_agents_1s.csv.gz", "/work/shared/traces/azure_llm_2023_code_1s.csv.gz"} {
		tr, err := trace.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		l, _ := FromTrace(f, tr)
		s := ScoreForecasts(l, m)
		for _, x := range s.Series {
			t.Logf("%+v", x)
		}
		s.Series = nil
		t.Logf("%s %+v", f, s)
	}
}
