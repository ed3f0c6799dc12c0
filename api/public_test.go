package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
)

// exchange is one request and what must come back.
type exchange struct {
	line    string
	body    string
	headers []string
	status  int
	answer  string // the whole body, or its beginning when it ends with …
}

func (b *bench) run(list []exchange) {
	b.t.Helper()
	for _, x := range list {
		res, answer := b.do(x.line, x.body, x.headers...)
		if res.StatusCode != x.status {
			b.t.Errorf("%s %s: status %d, want %d: %s", x.line, x.body, res.StatusCode, x.status, answer)
		}
		want, prefix := strings.CutSuffix(x.answer, "…")
		if answer = strings.TrimSuffix(answer, "\n"); answer != want && !(prefix && strings.HasPrefix(answer, want)) {
			b.t.Errorf("%s %s answered\n%s, want\n%s", x.line, x.body, answer, x.answer)
		}
	}
}

const quota = `{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Quota exceeded",`

func TestConsume(t *testing.T) {
	inline := `{"tokens":3,"policy":{"capacity":5,"refill_rate":0.5,"interval_seconds":1}}`
	newBench(t, api.Options{}).run([]exchange{
		{
			"POST /v1/agents/bot/consume", "", nil, 200,
			`{"allowed":true,"agent":"bot","tokens":1,"limit":1000,"remaining":999,"retry_after_ms":0,"reset_ms":3600}`,
		},
		{
			"POST /v1/agents/bot/consume?tokens=9", "", nil, 200,
			`{"allowed":true,"agent":"bot","tokens":9,"limit":1000,"remaining":990,"retry_after_ms":0,"reset_ms":36000}`,
		},
		{
			"POST /v1/agents/bot/consume", `{"tokens":990}`, nil, 200,
			`{"allowed":true,"agent":"bot","tokens":990,"limit":1000,"remaining":0,"retry_after_ms":0,"reset_ms":3600000}`,
		},
		{
			"POST /v1/agents/bot/consume", ` { "tokens" : 2 } `, nil, 429,
			quota + `"status":429,"detail":"2 tokens asked, 0 of 1000 left","violated-policies":["default"],` +
				`"allowed":false,"agent":"bot","tokens":2,"limit":1000,"remaining":0,"retry_after_ms":7200,"reset_ms":3600000}`,
		},
		{"POST /v1/agents/bot/consume?deny_status=403", "", nil, 403, quota + `"status":403,…`},
		{"POST /v1/agents/bot/consume?deny_status=429", "", nil, 429, quota + `"status":429,…`},
		{
			"POST /v1/agents/bot/consume?deny_status=200&tokens=2", "", nil, 200,
			`{"allowed":false,"agent":"bot","tokens":2,"limit":1000,"remaining":0,"retry_after_ms":7200,"reset_ms":3600000}`,
		},
		{
			"POST /v1/agents/bot/consume", inline, nil, 200,
			`{"allowed":true,"agent":"bot","tokens":3,"limit":5,"remaining":2,"retry_after_ms":0,"reset_ms":6000}`,
		},
		{"POST /v1/agents/bot/consume", inline, nil, 429, quota + `"status":429,"detail":"3 tokens asked, 2 of 5 left","violated-policies":["inline"],…`},
		{"POST /v1/agents/x/consume", `{"tokens":null,"policy":null}`, nil, 200, `{"allowed":true,"agent":"x","tokens":1,…`},
		{"POST /v1/agents/x/consume", `{}`, nil, 200, `{"allowed":true,"agent":"x","tokens":1,…`},
		// A body without a content type is taken for JSON, parameters of the type are fine.
		{"POST /v1/agents/x/consume", `{"tokens":2}`, []string{"Content-Type: "}, 200, `{"allowed":true,"agent":"x","tokens":2,…`},
		{"POST /v1/agents/x/consume", `{"tokens":2}`, []string{"Content-Type: application/json; charset=utf-8"}, 200, `{"allowed":true,…`},
		{"POST /v1/agents/x/consume?tokens=%31", "", nil, 200, `{"allowed":true,"agent":"x","tokens":1,…`},
		{"POST /v1/agents/x/consume", `{"policy":{"capacity":5,"refill_rate":1e0,"interval_seconds":1.000001}}`, nil, 200, `{"allowed":true,…`},
	})
}

// TestNames: whatever may stand in a name arrives as it was meant, and comes back.
func TestNames(t *testing.T) {
	b := newBench(t, api.Options{})
	long := strings.Repeat("n", 128)
	for path, name := range map[string]string{
		"agent:42:tokens": "agent:42:tokens", "agent%3A42%3Atokens": "agent:42:tokens",
		"a%2Fb": "a/b", "a%2fb": "a/b", "%2F": "/", "..": "..", ".": ".", "%2E%2E": "..", "a%20b": "a b", "a+b": "a+b", "%25": "%", "%2525": "%25",
		"%C3%A9": "é", "é": "é", "%22%5C": `"\`, "a;b=c,d": "a;b=c,d", "consume": "consume", "%3F%23": "?#",
		long: long, strings.Repeat("%6e", 128): long, "%E2%80%A8": "\u2028", "%3Cscript%3E&": "<script>&",
	} {
		res, answer := b.do("POST /v1/agents/"+path+"/consume", "")
		var d wire.Decision
		if err := json.Unmarshal([]byte(answer), &d); res.StatusCode != 200 || err != nil || d.Agent != name {
			t.Errorf("%s: %d %s, want agent %q", path, res.StatusCode, answer, name)
		}
		res, answer = b.do("GET /v1/agents/"+path, "")
		var a wire.Agent
		if err := json.Unmarshal([]byte(answer), &a); res.StatusCode != 200 || err != nil || a.Agent != name || a.Consumed == 0 {
			t.Errorf("GET %s: %d %s, want agent %q", path, res.StatusCode, answer, name)
		}
	}
}

func TestBatch(t *testing.T) {
	b := newBench(t, api.Options{})
	b.run([]exchange{
		{
			"POST /v1/consume", `{"checks":[{"agent":"a"},{"agent":"b","tokens":1000},{"agent":"b"}]}`, nil, 200,
			`{"allowed":false,"results":[` +
				`{"allowed":true,"agent":"a","tokens":1,"limit":1000,"remaining":999,"retry_after_ms":0,"reset_ms":3600},` +
				`{"allowed":true,"agent":"b","tokens":1000,"limit":1000,"remaining":0,"retry_after_ms":0,"reset_ms":3600000},` +
				`{"allowed":false,"agent":"b","tokens":1,"limit":1000,"remaining":0,"retry_after_ms":3600,"reset_ms":3600000}],"binding":2}`,
		},
		{
			"POST /v1/consume", `{"atomic":true,"checks":[{"agent":"a","tokens":9},{"agent":"b","tokens":2}]}`, nil, 429,
			quota + `"status":429,"detail":"2 tokens asked, 0 of 1000 left","violated-policies":["default"],"allowed":false,"results":[` +
				`{"allowed":false,"agent":"a","tokens":9,"limit":1000,"remaining":990,"retry_after_ms":0,"reset_ms":36000},` +
				`{"allowed":false,"agent":"b","tokens":2,"limit":1000,"remaining":0,"retry_after_ms":7200,"reset_ms":3600000}],"binding":1}`,
		},
		{"POST /v1/consume?deny_status=403", `{"atomic":true,"checks":[{"agent":"b"}]}`, nil, 403, quota + `"status":403,…`},
		{"POST /v1/consume?deny_status=200", `{"atomic":true,"checks":[{"agent":"b"}]}`, nil, 200, `{"allowed":false,"results":[…`},
		{
			"POST /v1/consume", `{"atomic":true,"checks":[{"agent":"a","tokens":9,"policy":{"capacity":9,"refill_rate":1,"interval_seconds":1}}]}`, nil, 200,
			`{"allowed":true,"results":[{"allowed":true,"agent":"a","tokens":9,"limit":9,"remaining":0,"retry_after_ms":0,"reset_ms":9000}]}`,
		},
		{"GET /v1/agents/a", "", nil, 200, `{"agent":"a","tenant":"default",…`},
	})
	if n := b.backend.consumed["a"]; n != 1 {
		t.Errorf("a denied atomic batch left a with %d consumed, want 1", n)
	}
	// The largest batch there is.
	checks := strings.Repeat(`{"agent":"many"},`, wire.MaxBatchChecks)
	res, answer := b.do("POST /v1/consume", `{"checks":[`+strings.TrimSuffix(checks, ",")+`]}`)
	if res.StatusCode != 200 || strings.Count(answer, `"allowed":true`) != 1000 {
		t.Errorf("a batch of %d: %d, %d allowed", wire.MaxBatchChecks, res.StatusCode, strings.Count(answer, `"allowed":true`))
	}
	// Headers tell of the binding check, else of the tightest.
	res, _ = b.do("POST /v1/consume", `{"checks":[{"agent":"p"},{"agent":"q","tokens":10},{"agent":"r"}]}`)
	if got := res.Header.Get("RateLimit"); got != `"default";r=990;t=3564` {
		t.Errorf("RateLimit of an allowed batch is %s", got)
	}
}

func TestAgents(t *testing.T) {
	b := newBench(t, api.Options{})
	for _, n := range []string{"a/1", "a/2", "b"} {
		b.backend.consumed[n] = int64(len(n))
	}
	b.run([]exchange{
		{"GET /v1/agents/new", "", nil, 200, `{"agent":"new","tenant":"default","policy":{"name":"default","capacity":1000,` +
			`"refill_rate":1000,"interval_seconds":3600},"policy_source":"default","level":1000,"limit":1000,"consumed":0,"refunded":0,` +
			`"retry_after_ms":0,"reset_ms":0,"overshoot_bound":0,"staleness_ms":0,"origins":[],"buckets":[],` +
			`"refill":{"tokens_per_second":0.2777777777777778,"source":"policy"}}`},
		{"GET /v1/agents/b?tokens=999", "", nil, 200, `{"agent":"b",…`},
		{"GET /v1/agents", "", nil, 200, `{"agents":[{"agent":"a/1","tenant":"default","policy":"default","level":997,"limit":1000,"consumed":3,"refunded":0},…`},
		{
			"GET /v1/agents?prefix=a%2F&limit=1", "", nil, 200,
			`{"agents":[{"agent":"a/1","tenant":"default","policy":"default","level":997,"limit":1000,"consumed":3,"refunded":0}],"next":"a/1"}`,
		},
		{
			"GET /v1/agents?prefix=a%2F&limit=1&after=a/1", "", nil, 200,
			`{"agents":[{"agent":"a/2","tenant":"default","policy":"default","level":997,"limit":1000,"consumed":3,"refunded":0}]}`,
		},
		{"GET /v1/agents?after=z", "", nil, 200, `{"agents":[]}`},
		{"GET /v1/agents?top=1", "", nil, 200, `{"agents":[{"agent":"a/…`},
		{"POST /v1/agents/b/refund", `{"tokens":5}`, nil, 200, `{"agent":"b","tokens":5,"refunded":1,"limit":1000,"remaining":1000}`},
		{
			"POST /v1/agents/b/refund", `{"tokens":5,"policy":{"capacity":9,"refill_rate":1,"interval_seconds":1}}`, nil, 200,
			`{"agent":"b","tokens":5,"refunded":0,"limit":9,"remaining":9}`,
		},
		{"POST /v1/agents/a%2F1/reset", "", nil, 200, `{"agent":"a/1","reset":true}`},
		{"POST /v1/agents/a%2F1/reset", "{}", nil, 200, `{"agent":"a/1","reset":true}`},
		{"DELETE /v1/agents/a%2F1", "", nil, 204, ``},
	})
	_, answer := b.do("GET /v1/agents/new?tokens=1000", "")
	var a wire.Agent
	if err := json.Unmarshal([]byte(answer), &a); err != nil || a.WouldAllow == nil || !*a.WouldAllow {
		t.Errorf("peek answered %s", answer)
	}
	if b.backend.consumed["new"] != 0 {
		t.Error("a peek consumed")
	}
}

func TestPolicies(t *testing.T) {
	b := newBench(t, api.Options{})
	gold := `{"match":"gold:*","capacity":5,"refill_rate":0.000001,"interval_seconds":1.5,"durability":"sync","floor":0,"allow_inline":false,"minority":"hold"}`
	stored := `{"name":"gold","match":"gold:*","capacity":5,"refill_rate":0.000001,"interval_seconds":1.5,"durability":"sync","floor":0,"allow_inline":false,"minority":"hold"}`
	b.run([]exchange{
		{"GET /v1/policies/gold", "", nil, 404, `{"type":"about:blank","title":"Not Found","status":404,"detail":"policy \"gold\": not found",…`},
		{"PUT /v1/policies/gold", gold, nil, 201, stored},
		{"PUT /v1/policies/gold", stored, nil, 200, stored},
		{"PUT /v1/policies/gold", stored, []string{`If-Match: "v-gold"`}, 200, stored},
		{"PUT /v1/policies/gold", stored, []string{`If-Match: "other", "v-gold"`}, 200, stored},
		{"PUT /v1/policies/gold", stored, []string{`If-Match: "other"`}, 412, `{"type":"about:blank","title":"Precondition Failed",…`},
		{"PUT /v1/policies/gold", stored, []string{`If-None-Match: *`}, 412, `{"type":"about:blank","title":"Precondition Failed",…`},
		{"PUT /v1/policies/a%2Fb", `{"capacity":1,"refill_rate":1,"interval_seconds":1}`, nil, 201, `{"name":"a/b","capacity":1,"refill_rate":1,"interval_seconds":1}`},
		{"GET /v1/policies/gold", "", nil, 200, stored},
		{"GET /v1/policies", "", nil, 200, `{"policies":[{"name":"a/b","capacity":1,"refill_rate":1,"interval_seconds":1},` + stored + `]}`},
		{"GET /v1/policies?limit=1", "", nil, 200, `{"policies":[{"name":"a/b","capacity":1,"refill_rate":1,"interval_seconds":1}],"next":"a/b"}`},
		{"DELETE /v1/policies/gold", "", []string{`If-Match: "no"`}, 412, `{…`},
		{"DELETE /v1/policies/gold", "", nil, 204, ``},
		{"DELETE /v1/policies/gold", "", nil, 404, `{…`},
		{"GET /v1/policies?after=b", "", nil, 200, `{"policies":[]}`},
	})
	if res, _ := b.do("GET /v1/policies/a%2Fb", ""); res.Header.Get("ETag") != `"v-a/b"` {
		t.Errorf("ETag is %s", res.Header.Get("ETag"))
	}
}

func TestPools(t *testing.T) {
	b := newBench(t, api.Options{})
	gpu := `{"name":"gpu","capacity_per_second":28000,"max_queue_delay_ms":50,"hard_max":40000.5,"tuner":"shadow"}`
	b.run([]exchange{
		{"GET /v1/pools/gpu", "", nil, 404, `{"type":"about:blank","title":"Not Found","status":404,"detail":"pool \"gpu\": not found",…`},
		{"PUT /v1/pools/gpu", `{"capacity_per_second":28000,"max_queue_delay_ms":50,"hard_max":40000.5,"tuner":"shadow"}`, nil, 201, gpu},
		{"PUT /v1/pools/gpu", gpu, []string{`If-Match: "v-gpu"`}, 200, gpu},
		{"PUT /v1/pools/gpu", gpu, []string{`If-Match: "other"`}, 412, `{"type":"about:blank","title":"Precondition Failed",…`},
		{"PUT /v1/pools/gpu", gpu, []string{`If-None-Match: *`}, 412, `{"type":"about:blank","title":"Precondition Failed",…`},
		{"PUT /v1/pools/a%2Fb", `{"hard_max":1}`, nil, 201, `{"name":"a/b","hard_max":1}`},
		{"GET /v1/pools", "", nil, 200, `{"pools":[{"name":"a/b","hard_max":1},` + gpu + `]}`},
		{"GET /v1/pools?limit=1", "", nil, 200, `{"pools":[{"name":"a/b","hard_max":1}],"next":"a/b"}`},
		{"GET /v1/pools/gpu", "", nil, 200, `{"name":"gpu","capacity_per_second":28000,"max_queue_delay_ms":50,"hard_max":40000.5,"tuner":"shadow","status":{…`},
		{"GET /v1/pools/gpu?top=5", "", nil, 200, `{"name":"gpu",…`},
		{"POST /v1/feedback", `{"reports":[{"pool":"gpu","requests":10,"errors":1,"latency_ms_sum":500,"window_seconds":1}]}`, nil, 200, `{"accepted":1}`},
		{"POST /v1/feedback", `{"reports":[{"agent":"bot","requests":4,"latency_histogram":{"bounds_ms":[10,20],"counts":[2,1,1]}}]}`, nil, 200, `{"accepted":1}`},
		{"POST /v1/feedback", `{"reports":[{"pool":"nope","requests":10}]}`, nil, 404, `{…`},
		{"POST /v1/feedback", "{\"pool\":\"gpu\",\"requests\":7}\n\n{\"agent\":\"bot\",\"requests\":8}\n", []string{"Content-Type: application/x-ndjson"}, 200, `{"accepted":2}`},
		{"DELETE /v1/pools/gpu", "", []string{`If-Match: "no"`}, 412, `{…`},
		{"DELETE /v1/pools/gpu", "", nil, 204, ``},
		{"DELETE /v1/pools/gpu", "", nil, 404, `{…`},
		{"POST /v1/agents/bot/consume?attempt=2", "", nil, 200, `{"allowed":true,…`},
	})
	want := []api.Reported{
		{Pool: "gpu", Requests: 10, Errors: 1, LatencySum: 0.5, Seconds: 1},
		{Agent: "bot", Requests: 4, LatencySum: 0.055},
		{Pool: "gpu", Requests: 7},
		{Agent: "bot", Requests: 8},
	}
	if !slices.Equal(b.backend.reports, want) {
		t.Errorf("reported %+v, want %+v", b.backend.reports, want)
	}
}

func TestCluster(t *testing.T) {
	b := newBench(t, api.Options{})
	b.run([]exchange{
		{"GET /v1/cluster", "", nil, 200, `{"name":"clawd","self":"n1","members":[{"name":"n1","node":"0000000000000001","run":"00000000000000aa",` +
			`"state":"ready","http_addr":"127.0.0.1:8080","peer_addr":"127.0.0.1:8081","staleness_ms":0,"clock_skew_ms":0,"lag_rows":0}]}`},
		{"POST /v1/cluster/join", `{"addresses":["127.0.0.1:7946","[::1]:7946"]}`, nil, 200, `{"joined":2}`},
		{"POST /v1/cluster/leave", "", nil, 202, `{"state":"leaving"}`},
		{"POST /v1/cluster/forget", `{"member":"n2"}`, nil, 200, `{"member":"n2","node":"0000000000000002"}`},
		{"POST /v1/cluster/forget", `{"member":"n1"}`, nil, 409, `{"type":"about:blank","title":"Conflict","status":409,"detail":"conflict: n1 is this node",…`},
		{"POST /v1/backup", `{"directory":"/var/backups/clawd/"}`, nil, 200, `{"directory":"/var/backups/clawd","bytes":4096,"files":3}`},
		{"GET /openapi.yaml", "", nil, 200, "openapi: 3.1.0\n…"},
	})
}

func TestHealth(t *testing.T) {
	b := newBench(t, api.Options{})
	store := `{"name":"store","status":"ok"}`
	disk := `{"name":"disk","status":"degraded","detail":"4 % left"}`
	b.run([]exchange{
		{"GET /livez", "", nil, 200, `{"status":"ok"}`},
		{"GET /healthz?verbose", "", nil, 200, `{"status":"ok","checks":[{"name":"process","status":"ok"}]}`},
		{"GET /readyz", "", nil, 200, `{"status":"degraded"}`},
		{"GET /readyz?verbose", "", nil, 200, `{"status":"degraded","checks":[` + store + `,` + disk + `]}`},
		{"GET /readyz?verbose=1&exclude=disk", "", nil, 200, `{"status":"ok","checks":[` + store + `]}`},
		{"GET /readyz?verbose=0&exclude=disk&exclude=store", "", nil, 200, `{"status":"ok"}`},
		{"GET /readyz?verbose&exclude=disk,store,unknown", "", nil, 200, `{"status":"ok"}`},
		{"GET /readyz?verbose=maybe", "", nil, 400, `{…`},
		{"GET /readyz?verbos", "", nil, 400, `{…`},
		{"HEAD /readyz", "", nil, 200, `{"status":"degraded"}`}, // a server would leave the body out
	})
	b.backend.checks = append(b.backend.checks, wire.HealthCheck{Name: "sync", Status: wire.HealthFailed, Detail: "no round yet"})
	sync := `{"name":"sync","status":"failed","detail":"no round yet"}`
	b.backend.live = http.ErrServerClosed
	b.run([]exchange{
		{"GET /readyz", "", nil, 503, `{"status":"failed","checks":[` + disk + `,` + sync + `]}`},
		{"GET /readyz?exclude=sync", "", nil, 200, `{"status":"degraded"}`},
		{"GET /livez", "", nil, 503, `{"status":"failed","checks":[{"name":"process","status":"failed","detail":"http: Server closed"}]}`},
	})
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		if res, _ := b.do("GET "+path, ""); res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached", path)
		}
	}
}

// TestOperationsListener: metrics and health are on either listener, never on both.
func TestOperationsListener(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) })
	b := newBench(t, api.Options{Metrics: metrics})
	b.run([]exchange{{"GET /metrics", "", nil, 200, "up 1"}})
	b = newBench(t, api.Options{Metrics: metrics, SeparateOperations: true})
	gone := `{"type":"about:blank","title":"Not Found",…`
	b.run([]exchange{
		{"GET /metrics", "", nil, 404, gone},
		{"GET /livez", "", nil, 404, gone},
		{"GET /v1/cluster", "", nil, 200, `{"name":"clawd",…`},
	})
	var err error
	if b.handler, err = api.NewOperations(api.Options{Public: b.backend, Metrics: metrics}); err != nil {
		t.Fatal(err)
	}
	b.run([]exchange{
		{"GET /metrics", "", nil, 200, "up 1"},
		{"GET /livez", "", nil, 200, `{"status":"ok"}`},
		{"GET /v1/cluster", "", nil, 404, gone},
	})
}

// TestMissingBackend: a handler without a backend is an error when it is made, not a panic when it is asked.
func TestMissingBackend(t *testing.T) {
	for name, build := range map[string]func(api.Options) (http.Handler, error){
		"public": api.NewPublic, "operations": api.NewOperations, "peer": api.NewPeer,
	} {
		if h, err := build(api.Options{}); err == nil || h != nil {
			t.Errorf("%s was built without a backend", name)
		}
	}
}
