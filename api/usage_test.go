package api_test

import (
	"strings"
	"testing"

	"github.com/openclaw/clawd/api"
)

const flatPrice = `{"model":"gpt-*","currency":"USD","input_per_million":"2.5","output_per_million":"10"}`

func TestPrices(t *testing.T) {
	newBench(t, api.Options{}).run([]exchange{
		{"GET /v1/prices", "", nil, 200, `{"prices":[]}`},
		{"GET /v1/prices/gpt-*", "", nil, 404, `{"type":"about:blank","title":"Not Found",…`},
		{"PUT /v1/prices/gpt-*", `{"currency":"USD","input_per_million":"2.50","output_per_million":"10"}`, nil, 201, flatPrice},
		{"PUT /v1/prices/gpt-*", flatPrice, nil, 200, flatPrice},
		{"GET /v1/prices/gpt-*", "", nil, 200, flatPrice},
		{"GET /v1/prices/gpt-*?at=2026-01-31T12:00:00Z", "", nil, 200, flatPrice},
		{"GET /v1/prices/gpt-*?at=yesterday", "", nil, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"at must be an RFC 3339 time…`},
		{
			"PUT /v1/prices/a%2Fb", `{"currency":"USD","effective_from":"2030-01-31T12:00:00+02:00","tiers":{"input":[{"up_to":5,"price":"2"},{"price":"1"}]}}`, nil, 201,
			`{"model":"a/b","currency":"USD","input_per_million":"0","output_per_million":"0","tiers":{"input":[{"up_to":5,"price":"2"},{"price":"1"}]},"effective_from":"2030-01-31T10:00:00Z"}`,
		},
		{"GET /v1/prices?prefix=g", "", nil, 200, `{"prices":[` + flatPrice + `]}`},
		{"GET /v1/prices?limit=1", "", nil, 200, `{"prices":[{"model":"a/b",…`},
		{"PUT /v1/prices/x", `{"currency":"EUR"}`, nil, 422, `{"type":"about:blank","title":"Unprocessable Entity","status":422,…`},
		{"DELETE /v1/prices/gpt-*", "", nil, 204, ``},
		{"DELETE /v1/prices/gpt-*", "", nil, 404, `{…`},
	})
}

func TestBadPrices(t *testing.T) {
	b := newBench(t, api.Options{})
	for body, detail := range map[string]string{
		``:                   `body is empty`,
		`{}`:                 `currency must be three capital letters`,
		`{"currency":"usd"}`: `currency must be three capital letters`,
		`{"currency":"USD","input_per_million":2.5}`:                                                       `input_per_million is not valid: invalid amount of money`,
		`{"currency":"USD","input_per_million":"-1"}`:                                                      `input_per_million must be between 0 and 1000000`,
		`{"currency":"USD","effective_from":"soon"}`:                                                       `effective_from is not valid: not an RFC 3339 time`,
		`{"currency":"USD","tiers":{"input":[{"up_to":5,"price":"1"}]}}`:                                   `tiers.input[0].up_to must be left out`,
		`{"currency":"USD","per_token":"1"}`:                                                               `per_token is not a known field`,
		`{"currency":"USD","model":"other"}`:                                                               `model is \"other\", but the path says \"m\"`,
		`{"currency":"USD","tiers":{"input":[` + strings.Repeat(`{"price":"1"},`, 16) + `{"price":"1"}]}}`: `tiers.input must have at most 16 tiers`,
	} {
		res, answer := b.do("PUT /v1/prices/m", body)
		if res.StatusCode != 400 || !strings.Contains(answer, `"detail":"`+detail) {
			t.Errorf("%s: %d %s", body, res.StatusCode, answer)
		}
	}
	if b.backend.calls != 0 {
		t.Error("something bad reached the backend")
	}
}

func TestUsageEvents(t *testing.T) {
	const event = `{"event_id":"e1","agent":"bot","model":"gpt-*","input_tokens":1000,"output_tokens":100}`
	const priced = `"total":"0.0035","currency":"USD","items":[{"meter":"input","quantity":1000,"unit_price":"2.5","amount":"0.0025"},` +
		`{"meter":"output","quantity":100,"unit_price":"10","amount":"0.001"},{"meter":"requests","quantity":1,"unit_price":"0","amount":"0"}]`
	b := newBench(t, api.Options{})
	b.run([]exchange{
		{"POST /v1/usage", event, nil, 200, `{"event_id":"e1","items":[]}`},
		{"PUT /v1/prices/gpt-*", flatPrice, nil, 201, flatPrice},
		{"POST /v1/usage", event, nil, 200, `{"event_id":"e1",` + priced + `,"duplicate":true}`},
		{"POST /v1/usage", strings.Replace(event, "e1", "old", 1), nil, 422, `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"cannot be done: the event is too old",…`},
		{
			"POST /v1/usage", `{"events":[` + event + `,{"event_id":"e2","agent":"bot","model":"x"},{"event_id":"old","agent":"bot","model":"x"}]}`, nil, 200,
			`{"results":[{"event_id":"e1",` + priced + `,"duplicate":true,"status":200},{"event_id":"e2","items":[],"status":200},` +
				`{"event_id":"old","items":[],"status":422,"problem":{"type":"about:blank","title":"Unprocessable Entity","status":422,…`,
		},
		{
			"POST /v1/usage", `{"specversion":"1.0","id":"7","source":"/gateway","type":"ai.call","traceid":"x","time":"2026-01-31T12:00:00Z","data":{"agent":"bot","model":"x"}}`,
			[]string{"Content-Type: application/cloudevents+json"},
			200, `{"event_id":"/gateway\u00007","items":[]}`,
		},
		{
			"POST /v1/usage", `[{"specversion":"1.0","id":"8","source":"/gateway","type":"ai.call","data":{"agent":"bot","model":"x"}}]`,
			[]string{"Content-Type: application/cloudevents-batch+json"},
			200, `{"results":[{"event_id":"/gateway\u00008","items":[],"status":200}],"accepted":1,"duplicates":0,"rejected":0}`,
		},
	})
}

func TestBadUsageEvents(t *testing.T) {
	b := newBench(t, api.Options{})
	const cloud, batch = "application/cloudevents+json", "application/cloudevents-batch+json"
	for _, c := range []struct{ contentType, body, detail string }{
		{"", ``, `body is empty`},
		{"", `{}`, `event_id is empty`},
		{"", `{"event_id":"e","agent":"","model":"m"}`, `agent is empty`},
		{"", `{"event_id":"e","agent":"a"}`, `model is empty`},
		{"", `{"event_id":"e\u0000","agent":"a","model":"m"}`, `event_id has a control character`},
		{"", `{"event_id":"e","agent":"a","model":"m","input_tokens":-1}`, `input_tokens cannot be a number -1`},
		{"", `{"event_id":"e","agent":"a","model":"m","input_tokens":1,"cached_input_tokens":2}`, `cached_input_tokens must be at most input_tokens`},
		{"", `{"event_id":"e","agent":"a","model":"m","occurred_at":"now"}`, `occurred_at is not valid`},
		{"", `{"event_id":"e","agent":"a","model":"m","tokens":1}`, `tokens is not a known field`},
		{"", `{"events":[]}`, `events must have from 1 to 1000 elements`},
		{"", `{"events":[{"event_id":"e","agent":"a","model":"m"},{"event_id":"e"}]}`, `events[1].agent is empty`},
		{"", `{"event_id":"e","events":[{"event_id":"e","agent":"a","model":"m"}]}`, `events does not go with`},
		{cloud, `{"specversion":"0.3","id":"1","source":"s","data":{}}`, `specversion must be 1.0`},
		{cloud, `{"specversion":"1.0","source":"s","data":{}}`, `id is empty`},
		{cloud, `{"specversion":"1.0","id":"1","source":"s"}`, `data is missing`},
		{cloud, `{"specversion":"1.0","id":"1","source":"s","data":{"agent":"a"}}`, `data.model is empty`},
		{cloud, `{"specversion":"1.0","id":"1","source":"s","data":{"event_id":"x","agent":"a","model":"m"}}`, `data.event_id is said by`},
		{batch, `[]`, `events must have from 1`},
		{batch, `[{"specversion":"1.0","id":"1","source":"s","data":{}}]`, `[0].data.agent is empty`},
	} {
		var headers []string
		if c.contentType != "" {
			headers = []string{"Content-Type: " + c.contentType}
		}
		res, answer := b.do("POST /v1/usage", c.body, headers...)
		if res.StatusCode != 400 || !strings.Contains(answer, `"detail":"`+c.detail) {
			t.Errorf("%s: %d %s", c.body, res.StatusCode, answer)
		}
	}
	if b.backend.calls != 0 {
		t.Error("something bad reached the backend")
	}
}

func TestStatement(t *testing.T) {
	newBench(t, api.Options{}).run([]exchange{
		{
			"GET /v1/agents/bot/usage?from=2026-01-01&to=2026-01-31&group_by=model", "", nil, 200,
			`{"agent":"bot","from":"2026-01-01","to":"2026-01-31","currency":"USD","total":"1","items":[{"model":"mmodel","input_tokens":5,"output_tokens":0,"requests":1,"amount":"1"}]}`,
		},
		{
			"GET /v1/agents/bot/usage", "",
			[]string{"Accept: text/csv"},
			200,
			"agent,day,model,requests,input_tokens,cached_input_tokens,output_tokens,reasoning_tokens,amount,currency\nbot,,m,1,5,0,0,0,1,USD",
		},
		{"GET /v1/agents/bot/usage?from=2026-01-32", "", nil, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"from must be a day such as 2026-01-31",…`},
		{"GET /v1/agents/bot/usage?from=2026-02-01&to=2026-01-01", "", nil, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"to must not be before from",…`},
		{"GET /v1/agents/bot/usage?from=2020-02-01&to=2026-01-01", "", nil, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"to must be within 400 days of from",…`},
		{"GET /v1/agents/bot/usage?group_by=hour", "", nil, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"group_by must be model or day",…`},
		{"GET /v1/agents/bot/usage?days=3", "", nil, 400, `{…`},
	})
}
