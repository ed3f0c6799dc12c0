package rating

import (
	"errors"
	"strings"
	"testing"
)

func TestValidatePrice(t *testing.T) {
	negative, good := Nano(-1), Nano(1)
	for name, c := range map[string]struct {
		change func(*Price)
		field  string
	}{
		"good":                   {func(*Price) {}, ""},
		"all said":               {func(p *Price) { p.CachedInputPerMillion, p.ReasoningPerMillion, p.PerRequest = &good, &good, 1 }, ""},
		"free":                   {func(p *Price) { p.InputPerMillion, p.OutputPerMillion = 0, 0 }, ""},
		"no model":               {func(p *Price) { p.Model = "" }, "model"},
		"long model":             {func(p *Price) { p.Model = strings.Repeat("a", 129) }, "model"},
		"control in model":       {func(p *Price) { p.Model = "a\nb" }, "model"},
		"no currency":            {func(p *Price) { p.Currency = "" }, "currency"},
		"small currency":         {func(p *Price) { p.Currency = "usd" }, "currency"},
		"negative input":         {func(p *Price) { p.InputPerMillion = -1 }, "input_per_million"},
		"dear output":            {func(p *Price) { p.OutputPerMillion = MaxPrice + 1 }, "output_per_million"},
		"negative cached":        {func(p *Price) { p.CachedInputPerMillion = &negative }, "cached_input_per_million"},
		"negative reasoning":     {func(p *Price) { p.ReasoningPerMillion = &negative }, "reasoning_per_million"},
		"negative request":       {func(p *Price) { p.PerRequest = -1 }, "per_request"},
		"tiers":                  {func(p *Price) { p.Tiers.Input = []Tier{{10, 2}, {0, 1}} }, ""},
		"tiers that end":         {func(p *Price) { p.Tiers.Input = []Tier{{10, 2}} }, "tiers.input[0].up_to"},
		"tiers out of order":     {func(p *Price) { p.Tiers.Output = []Tier{{10, 2}, {10, 1}, {0, 1}} }, "tiers.output[1].up_to"},
		"a tier without an end":  {func(p *Price) { p.Tiers.Requests = []Tier{{0, 2}, {0, 1}} }, "tiers.requests[0].up_to"},
		"a tier that pays":       {func(p *Price) { p.Tiers.Reasoning = []Tier{{0, -1}} }, "tiers.reasoning[0].price"},
		"more tiers than enough": {func(p *Price) { p.Tiers.CachedInput = make([]Tier, 17) }, "tiers.cached_input"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Price{Model: "gpt-*", Currency: "USD", InputPerMillion: Unit, OutputPerMillion: Unit}
			c.change(&p)
			checkField(t, p.Validate(), c.field)
		})
	}
}

func TestValidateUsage(t *testing.T) {
	for name, c := range map[string]struct {
		usage Usage
		field string
	}{
		"none":                  {Usage{}, ""},
		"all":                   {Usage{10, 10, 5, 5, 1}, ""},
		"more cached than in":   {Usage{InputTokens: 1, CachedInputTokens: 2}, "cached_input_tokens"},
		"more thought than out": {Usage{OutputTokens: 1, ReasoningTokens: 2}, "reasoning_tokens"},
		"huge":                  {Usage{InputTokens: MaxQuantity + 1}, "input_tokens"},
		"huge requests":         {Usage{Requests: 1 << 63}, "requests"},
	} {
		t.Run(name, func(t *testing.T) { checkField(t, c.usage.Validate(), c.field) })
	}
}

func checkField(t *testing.T, err error, want string) {
	t.Helper()
	var fe *FieldError
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && (!errors.As(err, &fe) || fe.Field != want || !errors.Is(err, ErrInvalidPrice)):
		t.Errorf("%v, want a complaint about %s", err, want)
	}
}
