package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
)

// bad is a request that must be refused, and the field the problem must name.
type bad struct {
	line    string
	body    string
	headers []string
	status  int
	field   string
}

// TestBadRequests: what is wrong is refused with a problem that names it, and nothing reaches the backend's state.
func TestBadRequests(t *testing.T) {
	const agent, x = "POST /v1/agents/x/consume", "/v1/agents/x"
	long := strings.Repeat("n", 129)
	form := []string{"Content-Type: application/x-www-form-urlencoded"}
	var list []bad
	consume := func(field string, bodies ...string) {
		for _, body := range bodies {
			list = append(list, bad{agent, body, nil, 400, field})
		}
	}
	consume("body", "[]", "1", `"x"`, "null", "{", `{"tokens"`, `{"tokens":1`, `{"tokens":1,`, `{"tokens":1,}`, `{"tokens":1}}`,
		`{"tokens":1} x`, `{"tokens":1.}`, `{"tokens":-}`, `{"tokens":1e}`, `{tokens:1}`, `{'tokens':1}`, `{"tok`+"\x00"+`ens":1}`,
		"{\"\xff\":1}", "{\"\xc3(\":1}", "\xef\xbb\xbf{}", `{"\ud8zz":1}`, " ", "{}{}", `{"tokens":1 "policy":null}`)
	consume("tokens", `{"tokens":`, `{"tokens":01}`, `{"tokens":0}`, `{"tokens":-1}`, `{"tokens":-0}`, `{"tokens":1.5}`, `{"tokens":1.0}`, `{"tokens":1e3}`, `{"tokens":"1"}`,
		`{"tokens":true}`, `{"tokens":[1]}`, `{"tokens":9007199255}`, `{"tokens":1e400}`, `{"tokens":1001}`, `{"tokens":1,"tokens":2}`,
		`{"tokens":99999999999999999999999999999999999999999999999}`)
	consume("policy", `{"policy":1}`, `{"policy":[]}`, `{"policy":"gold"}`)
	consume("policy.capacity", `{"policy":{}}`, `{"policy":{"refill_rate":1,"interval_seconds":1}}`, `{"policy":{"capacity":0,"refill_rate":1,"interval_seconds":1}}`,
		`{"policy":{"capacity":1.5,"refill_rate":1,"interval_seconds":1}}`, `{"policy":{"capacity":-5,"refill_rate":1,"interval_seconds":1}}`,
		`{"policy":{"capacity":9007199255,"refill_rate":1,"interval_seconds":1}}`, `{"policy":{"capacity":null,"refill_rate":1,"interval_seconds":1}}`)
	consume("policy.refill_rate", `{"policy":{"capacity":1,"interval_seconds":1}}`, `{"policy":{"capacity":1,"refill_rate":0,"interval_seconds":1}}`,
		`{"policy":{"capacity":1,"refill_rate":-1,"interval_seconds":1}}`, `{"policy":{"capacity":1,"refill_rate":0.0000001,"interval_seconds":1}}`,
		`{"policy":{"capacity":1,"refill_rate":"1","interval_seconds":1}}`, `{"policy":{"capacity":1,"refill_rate":1e99,"interval_seconds":1}}`,
		`{"policy":{"capacity":1,"refill_rate":9007199254,"interval_seconds":0.5}}`)
	consume("policy.interval_seconds", `{"policy":{"capacity":1,"refill_rate":1}}`, `{"policy":{"capacity":1,"refill_rate":1,"interval_seconds":0}}`)
	consume("policy.capacity", `{"policy":{"capacity":1,"capacity":1,"refill_rate":1,"interval_seconds":1}}`)
	consume("policy.refill_rate", `{"policy":{"capacity":1,"refill_rate":1,"refill_rate":1,"interval_seconds":1}}`)
	consume("policy.interval_seconds", `{"policy":{"capacity":1,"refill_rate":1,"interval_seconds":1,"interval_seconds":1}}`)
	consume("policy", `{"policy":{"capacity":1,"refill_rate":1,"interval_seconds":1},"policy":null}`)
	consume("policy.burst", `{"policy":{"capacity":1,"refill_rate":1,"interval_seconds":1,"burst":2}}`)
	consume("Tokens", `{"Tokens":1}`)
	consume("token", `{"token":1}`)

	list = append(list, []bad{
		// names
		{"POST /v1/agents//consume", "", nil, 400, "agent"},
		{"GET /v1/agents/", "", nil, 400, "agent"},
		{"POST /v1/agents/" + long + "/consume", "", nil, 400, "agent"},
		{"POST /v1/agents/%00/consume", "", nil, 400, "agent"},
		{"POST /v1/agents/a%0Ab/consume", "", nil, 400, "agent"},
		{"POST /v1/agents/%7f/consume", "", nil, 400, "agent"},
		{"POST /v1/agents/%ff/consume", "", nil, 400, "agent"},
		{"POST /v1/agents/%ed%a0%80/consume", "", nil, 400, "agent"},
		// parameters
		{agent + "?tokens=0", "", nil, 400, "tokens"},
		{agent + "?tokens=", "", nil, 400, "tokens"},
		{agent + "?tokens=1.5", "", nil, 400, "tokens"},
		{agent + "?tokens=-1", "", nil, 400, "tokens"},
		{agent + "?tokens=99999999999999999999", "", nil, 400, "tokens"},
		{agent + "?tokens=1&tokens=1", "", nil, 400, "tokens"},
		{agent + "?tokens=1", `{"tokens":1}`, nil, 400, "tokens"},
		{agent + "?token=1", "", nil, 400, "token"},
		{agent + "?deny_status=500", "", nil, 400, "deny_status"},
		{agent + "?deny_status=200&deny_status=200", "", nil, 400, "deny_status"},
		{agent + "?tokens=%zz", "", nil, 400, "query"},
		// bodies
		{agent, `{"tokens":1}`, form, 415, "Content-Type"},
		{agent, `tokens=1`, form, 415, "Content-Type"},
		{agent, `{"tokens":1}`, []string{"Content-Type: application/json-seq"}, 415, "Content-Type"},
		{agent, `{"tokens":1}`, []string{"Content-Type: ;;"}, 415, "Content-Type"},
		{agent, `{"tokens":1}`, []string{"Content-Encoding: gzip"}, 415, "Content-Encoding"},
		{agent, strings.Repeat(" ", 16<<10) + "{}", nil, 413, "body"},
		// batch
		{"POST /v1/consume", "", nil, 400, "body"},
		{"POST /v1/consume", `{}`, nil, 400, "checks"},
		{"POST /v1/consume", `{"checks":[]}`, nil, 400, "checks"},
		{"POST /v1/consume", `{"checks":null}`, nil, 400, "checks"},
		{"POST /v1/consume", `{"checks":{}}`, nil, 400, "checks"},
		{"POST /v1/consume", `{"checks":[` + strings.Repeat(`{"agent":"a"},`, 10_000) + `{"agent":"a"}]}`, nil, 400, "checks"},
		{"POST /v1/consume", `{"checks":[{"agent":"a"},{}]}`, nil, 400, "checks[1].agent"},
		{"POST /v1/consume", `{"checks":[{"agent":"a"},{"agent":""}]}`, nil, 400, "checks[1].agent"},
		{"POST /v1/consume", `{"checks":[{"agent":"a\u0000"}]}`, nil, 400, "checks[0].agent"},
		{"POST /v1/consume", `{"checks":[{"agent":"` + long + `"}]}`, nil, 400, "checks[0].agent"},
		{"POST /v1/consume", `{"checks":[{"agent":7}]}`, nil, 400, "checks[0].agent"},
		{"POST /v1/consume", `{"checks":[7]}`, nil, 400, "checks[0]"},
		{"POST /v1/consume", `{"checks":[null]}`, nil, 400, "checks[0]"},
		{"POST /v1/consume", `{"checks":[{"agent":"a","tokens":0}]}`, nil, 400, "checks[0].tokens"},
		{"POST /v1/consume", `{"checks":[{"agent":"a"},{"agent":"a","tokens":1001}]}`, nil, 400, "checks[1].tokens"},
		{"POST /v1/consume", `{"checks":[{"agent":"a","cost":1}]}`, nil, 400, "checks[0].cost"},
		{"POST /v1/consume", `{"checks":[{"agent":"a","policy":{"capacity":0}}]}`, nil, 400, "checks[0].policy.capacity"},
		{"POST /v1/consume", `{"checks":[{"agent":"a"}`, nil, 400, "body"},
		{"POST /v1/consume", `{"checks":[{"agent":"a"},]}`, nil, 400, "checks[1]"},
		{"POST /v1/consume", `{"checks":[{"agent":"a\q"}]}`, nil, 400, "body"},
		{"POST /v1/consume", "{\"checks\":[{\"agent\":\"\xff\"}]}", nil, 400, "body"},
		{"POST /v1/consume", `{"atomic":1,"checks":[{"agent":"a"}]}`, nil, 400, "atomic"},
		{"POST /v1/consume", `{"atomic":true,"atomic":true,"checks":[{"agent":"a"}]}`, nil, 400, "atomic"},
		{"POST /v1/consume?tokens=1", `{"checks":[{"agent":"a"}]}`, nil, 400, "tokens"},
		{"POST /v1/consume", `{"checks":[{"agent":"a"}]}`, form, 415, "Content-Type"},
		// agents
		{"GET " + x + "?tokens=0", "", nil, 400, "tokens"},
		{"GET " + x + "?tokens=1001", "", nil, 400, "tokens"},
		{"GET " + x + "?peek=1", "", nil, 400, "peek"},
		{"GET /v1/agents?limit=0", "", nil, 400, "limit"},
		{"GET /v1/agents?limit=1001", "", nil, 400, "limit"},
		{"GET /v1/agents?limit=ten", "", nil, 400, "limit"},
		{"GET /v1/agents?top=0", "", nil, 400, "top"},
		{"GET /v1/agents?top=5&limit=5", "", nil, 400, "top"},
		{"GET /v1/agents?prefix=" + long, "", nil, 400, "prefix"},
		{"GET /v1/agents?after=%01", "", nil, 400, "after"},
		{"GET /v1/agents?prefix=a&prefix=b", "", nil, 400, "prefix"},
		{"GET /v1/agents?sort=name", "", nil, 400, "sort"},
		{"POST " + x + "/refund", ``, nil, 400, "body"},
		{"POST " + x + "/refund", `{}`, nil, 400, "tokens"},
		{"POST " + x + "/refund", `{"tokens":0}`, nil, 400, "tokens"},
		{"POST " + x + "/refund", `{"tokens":-5}`, nil, 400, "tokens"},
		{"POST " + x + "/refund", `{"tokens":1.5}`, nil, 400, "tokens"},
		{"POST " + x + "/refund", `{"tokens":1,"why":"x"}`, nil, 400, "why"},
		{"POST " + x + "/refund", `{"tokens":1,"policy":{"capacity":0}}`, nil, 400, "policy.capacity"},
		{"POST " + x + "/refund", `{"tokens":1`, nil, 400, "body"},
		{"POST " + x + "/refund", `{"tokens":1}{}`, nil, 400, "body"},
		{"POST " + x + "/refund", "{\"tokens\":1,\"\xff\":1}", nil, 400, "body"},
		{"POST " + x + "/refund", `{"tokens":1}`, form, 415, "Content-Type"},
		{"POST " + x + "/reset", `{"level":5}`, nil, 400, "level"},
		{"POST " + x + "/reset?level=5", ``, nil, 400, "level"},
		{"DELETE /v1/agents/%00", ``, nil, 400, "agent"},
		// policies
		{"PUT /v1/policies/p", ``, nil, 400, "body"},
		{"PUT /v1/policies/p", `null`, nil, 400, "body"},
		{"PUT /v1/policies/p", `[]`, nil, 400, "body"},
		{"PUT /v1/policies/p", `{}`, nil, 400, "capacity"},
		{"PUT /v1/policies/p", `{"capacity":"1","refill_rate":1,"interval_seconds":1}`, nil, 400, "capacity"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":-1,"interval_seconds":1}`, nil, 400, "refill_rate"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":"1","interval_seconds":1}`, nil, 400, "refill_rate"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":0.0000001}`, nil, 400, "interval_seconds"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"durability":"always"}`, nil, 400, "durability"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"floor":-1}`, nil, 400, "floor"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"match":"` + long + `"}`, nil, 400, "match"},
		{"PUT /v1/policies/p", `{"name":"q","capacity":1,"refill_rate":1,"interval_seconds":1}`, nil, 400, "name"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"pool":"\u0001"}`, nil, 400, "pool"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"guarantee":1}`, nil, 400, "guarantee"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"weight":1}`, nil, 400, "weight"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"min_rate":2}`, nil, 400, "min_rate"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"max_rate":0.5}`, nil, 400, "max_rate"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"pool":"x","max_rate":-1}`, nil, 400, "max_rate"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"pool":"x","min_rate":3,"max_rate":2}`, nil, 400, "min_rate"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"pool":"x","guarantee":3,"max_rate":2}`, nil, 400, "guarantee"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1,"parent":"x"}`, nil, 400, "parent"},
		{"GET /v1/pools/p?top=0", "", nil, 400, "top"},
		{"GET /v1/pools/p?top=1001", "", nil, 400, "top"},
		{"PUT /v1/pools/p", `{}`, nil, 400, "capacity_per_second"},
		{"PUT /v1/pools/p", `null`, nil, 400, "body"},
		{"PUT /v1/pools/p", `{"name":"q","capacity_per_second":1}`, nil, 400, "name"},
		{"PUT /v1/pools/p", `{"capacity_per_second":-1}`, nil, 400, "capacity_per_second"},
		{"PUT /v1/pools/p", `{"capacity_per_second":0.0000001}`, nil, 400, "capacity_per_second"},
		{"PUT /v1/pools/p", `{"capacity_per_second":10,"hard_max":9}`, nil, 400, "hard_max"},
		{"PUT /v1/pools/p", `{"capacity_per_second":10,"max_queue_delay_ms":-1}`, nil, 400, "max_queue_delay_ms"},
		{"PUT /v1/pools/p", `{"capacity_per_second":10,"max_queue_delay_ms":60001}`, nil, 400, "max_queue_delay_ms"},
		{"PUT /v1/pools/p", `{"capacity_per_second":10,"tuner":"yes"}`, nil, 400, "tuner"},
		{"PUT /v1/pools/p", `{"capacity_per_second":10,"status":{}}`, nil, 400, "status"},
		{"POST /v1/feedback", `{"reports":[]}`, nil, 400, "reports"},
		{"POST /v1/feedback", `{"reports":[{"requests":1}]}`, nil, 400, "reports[0].pool"},
		{"POST /v1/feedback", `{"reports":[{"pool":"p","agent":"a","requests":1}]}`, nil, 400, "reports[0].pool"},
		{"POST /v1/feedback", `{"reports":[{"agent":"a","requests":1},{"agent":"a","requests":-1}]}`, nil, 400, "reports[1].requests"},
		{"POST /v1/feedback", `{"reports":[{"agent":"a","requests":1,"errors":2}]}`, nil, 400, "reports[0].errors"},
		{"POST /v1/feedback", `{"reports":[{"agent":"a","requests":1,"latency_ms_sum":-1}]}`, nil, 400, "reports[0].latency_ms_sum"},
		{"POST /v1/feedback", `{"reports":[{"agent":"a","requests":1,"window_seconds":3601}]}`, nil, 400, "reports[0].window_seconds"},
		{"POST /v1/feedback", `{"reports":[{"agent":"a","requests":1,"latency_histogram":{"bounds_ms":[],"counts":[1]}}]}`, nil, 400, "reports[0].latency_histogram.bounds_ms"},
		{"POST /v1/feedback", `{"reports":[{"agent":"a","requests":1,"latency_histogram":{"bounds_ms":[2,1],"counts":[1,1,1]}}]}`, nil, 400, "reports[0].latency_histogram.bounds_ms"},
		{"POST /v1/feedback", `{"reports":[{"agent":"a","requests":1,"latency_histogram":{"bounds_ms":[2],"counts":[1]}}]}`, nil, 400, "reports[0].latency_histogram.counts"},
		{"POST /v1/feedback", `{"agent":"a","requests":1}`, nil, 400, "agent"},
		{"POST /v1/feedback", "{\"agent\":\"a\",\"requests\":\"1\"}\n", []string{"Content-Type: application/x-ndjson"}, 400, "line[1].requests"},
		{"POST /v1/feedback", "nonsense\n", []string{"Content-Type: application/x-ndjson"}, 400, "line[1].body"},
		{"POST /v1/agents/a/consume?attempt=0", "", nil, 400, "attempt"},
		{"POST /v1/agents/a/consume?attempt=1&attempt=2", "", nil, 400, "attempt"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1}`, []string{"If-Match: v1"}, 400, "If-Match"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1}`, []string{`If-Match: W/"v1"`}, 400, "If-Match"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1}`, []string{`If-None-Match: "v1`}, 400, "If-None-Match"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1}`, []string{`If-None-Match: "a" "b"`}, 400, "If-None-Match"},
		{"PUT /v1/policies/p", `{"capacity":1,"refill_rate":1,"interval_seconds":1}`, []string{`If-None-Match: ,`}, 400, "If-None-Match"},
		{"PUT /v1/policies/" + long, `{"capacity":1,"refill_rate":1,"interval_seconds":1}`, nil, 400, "name"},
		{"PUT /v1/policies/", `{"capacity":1,"refill_rate":1,"interval_seconds":1}`, nil, 400, "name"},
		{"PUT /v1/policies/p", strings.Repeat(" ", 64<<10) + `{}`, nil, 413, "body"},
		// store
		{"PUT /v1/kv/", "v", nil, 400, "key"},
		{"PUT /v1/kv/" + strings.Repeat("k", 1025), "v", nil, 400, "key"},
		{"PUT /v1/kv/k%0d", "v", nil, 400, "key"},
		{"PUT /v1/kv/k?ttl_seconds=0", "v", nil, 400, "ttl_seconds"},
		{"PUT /v1/kv/k?ttl_seconds=1.5", "v", nil, 400, "ttl_seconds"},
		{"PUT /v1/kv/k?ttl=5", "v", nil, 400, "ttl"},
		{"PUT /v1/kv/k", "v", []string{"Content-Type: nonsense/"}, 400, "Content-Type"},
		{"PUT /v1/kv/k", "v", []string{"Content-Type: text/plain; x=" + strings.Repeat("y", 255)}, 400, "Content-Type"},
		{"PUT /v1/kv/k", strings.Repeat("v", 1<<20+1), nil, 413, "body"},
		{"POST /v1/kv/k/increment", `{"by":0}`, nil, 400, "by"},
		{"POST /v1/kv/k/increment", `{"by":1.5}`, nil, 400, "by"},
		{"POST /v1/kv/k/increment", `{"by":9007199254740993}`, nil, 400, "by"},
		{"POST /v1/kv/k/increment?by=0", ``, nil, 400, "by"},
		{"POST /v1/kv/k/increment?by=x", ``, nil, 400, "by"},
		{"POST /v1/kv/k/increment?by=1", `{"by":1}`, nil, 400, "by"},
		{"GET /v1/kv?values=2", "", nil, 400, "values"},
		{"GET /v1/kv?watch=2", "", nil, 400, "watch"},
		{"GET /v1/kv?watch=1&limit=5", "", nil, 400, "limit"},
		{"GET /v1/kv?watch=1&prefix=%00", "", nil, 400, "prefix"},
		{"GET /v1/kv?watch=1", "", []string{"Last-Event-ID: a b"}, 400, "Last-Event-ID"},
		{"GET /v1/kv?watched=1", "", nil, 400, "watched"},
		{"POST /v1/kv", `{"operations":[]}`, nil, 400, "operations"},
		{"POST /v1/kv", `{"operations":[` + strings.Repeat(`{"op":"get","key":"k"},`, 1000) + `{"op":"get","key":"k"}]}`, nil, 400, "operations"},
		{"POST /v1/kv", `{"operations":[{"op":"get","key":"k"},{"op":"drop","key":"k"}]}`, nil, 400, "operations[1].op"},
		{"POST /v1/kv", `{"operations":[{"op":"get"}]}`, nil, 400, "operations[0].key"},
		{"POST /v1/kv", `{"operations":[{"op":"put","key":"k"}]}`, nil, 400, "operations[0].value"},
		{"POST /v1/kv", `{"operations":[{"op":"put","key":"k","value":"v","value_base64":"dg=="}]}`, nil, 400, "operations[0].value_base64"},
		{"POST /v1/kv", `{"operations":[{"op":"put","key":"k","value_base64":"?"}]}`, nil, 400, "operations[0].value_base64"},
		{"POST /v1/kv", `{"operations":[{"op":"put","key":"k","value":"v","ttl_seconds":0}]}`, nil, 400, "operations[0].ttl_seconds"},
		{"POST /v1/kv", `{"operations":[{"op":"put","key":"k","value":"v","content_type":"x y"}]}`, nil, 400, "operations[0].content_type"},
		{"POST /v1/kv", `{"operations":[{"op":"put","key":"k","value":"v","if_match":"v1"}]}`, nil, 400, "operations[0].if_match"},
		{"POST /v1/kv", `{"operations":[{"op":"get","key":"k","by":1}]}`, nil, 400, "operations[0].by"},
		{"POST /v1/kv", `{"operations":[{"op":"increment","key":"k","value":"v"}]}`, nil, 400, "operations[0].value"},
		{"POST /v1/kv", `{"operations":[{"op":"increment","key":"k","by":0}]}`, nil, 400, "operations[0].by"},
		{"POST /v1/kv", `{"operations":[{"op":"put","key":"k","value":"` + strings.Repeat("v", 1<<20+1) + `"}]}`, nil, 413, "operations[0].value"},
		{"POST /v1/kv", `{"operations":[{"op":"get","key":"k"}],"atomic":true}`, nil, 400, "atomic"},
		// cluster
		{"POST /v1/cluster/join", `{}`, nil, 400, "addresses"},
		{"POST /v1/cluster/join", `{"addresses":["localhost"]}`, nil, 400, "addresses[0]"},
		{"POST /v1/cluster/join", `{"addresses":["a:1",":1"]}`, nil, 400, "addresses[1]"},
		{"POST /v1/cluster/leave", `{"force":true}`, nil, 400, "force"},
		{"POST /v1/cluster/forget", `{}`, nil, 400, "member"},
		{"POST /v1/backup", `{}`, nil, 400, "directory"},
		{"POST /v1/backup", `{"directory":"backups"}`, nil, 400, "directory"},
		{"POST /v1/backup", `{"directory":"/b\u0000"}`, nil, 400, "directory"},
	}...)

	b := newBench(t, api.Options{})
	for _, x := range list {
		before := b.state()
		res, answer := b.do(x.line, x.body, x.headers...)
		line := x.line[:min(len(x.line), 60)] + " " + x.body[:min(len(x.body), 60)]
		p := problem(t, res, answer)
		if res.StatusCode != x.status || p.Field != x.field {
			t.Errorf("%s %v: %d about %q, want %d about %q: %s", line, x.headers, res.StatusCode, p.Field, x.status, x.field, p.Detail)
		}
		if !strings.HasPrefix(p.Detail, p.Field) || len(p.Detail) > 400 {
			t.Errorf("%s: detail %q does not say what is wrong with %s", line, p.Detail, p.Field)
		}
		if after := b.state(); after != before {
			t.Errorf("%s was refused, and changed\n%s into\n%s", line, before, after)
		}
	}
}

// state is everything a request could have changed.
func (b *bench) state() string {
	s, err := json.Marshal([]any{b.backend.consumed, b.backend.policies, b.backend.keys})
	if err != nil {
		b.t.Fatal(err)
	}
	return string(s)
}

// problem reads a problem document and checks what all of them have.
func problem(t *testing.T, res *http.Response, answer string) (p wire.Problem) {
	t.Helper()
	if err := json.Unmarshal([]byte(answer), &p); err != nil {
		t.Fatalf("%d is no problem document: %s", res.StatusCode, answer)
	}
	if res.Header.Get("Content-Type") != wire.ContentTypeProblem || p.Status != res.StatusCode || p.Type == "" || p.Title == "" {
		t.Errorf("%d %s is no proper problem: %s", res.StatusCode, res.Header.Get("Content-Type"), answer)
	}
	if p.RequestID == "" || p.RequestID != res.Header.Get("X-Request-Id") {
		t.Errorf("problem has request id %q, the header %q", p.RequestID, res.Header.Get("X-Request-Id"))
	}
	return p
}

// TestNoSuchRoute: unknown paths and methods are problems, too, and so are the routes that do not exist yet.
func TestNoSuchRoute(t *testing.T) {
	b := newBench(t, api.Options{})
	for _, line := range []string{
		"GET /", "GET /v1", "GET /v2/agents", "POST /v1/agents/x/consume/", "POST /v1//agents/x/consume", "GET /v1/agents/a/b", "GET /v1/kv/a/b",
		"POST /v1/agents/x/reservations", "POST /v1/reservations/r/settle", "DELETE /v1/reservations/r",
		"GET /v1/audit", "GET /v1/events", "GET /ui/", "POST /v1/merge", "GET /v1/snapshot", "GET /metrics", "GET /debug/pprof/",
		"GET /openapi.yaml/", "GET /v1/cluster/../kv",
	} {
		res, answer := b.do(line, "")
		if p := problem(t, res, answer); p.Status != 404 {
			t.Errorf("%s: %s, want 404", line, res.Status)
		}
	}
	for line, allow := range map[string]string{
		"GET /v1/agents/x/consume": "POST", "PUT /v1/agents/x": "DELETE, GET, HEAD", "PATCH /v1/kv/k": "DELETE, GET, HEAD, PUT",
		"OPTIONS /v1/kv": "GET, HEAD, POST", "HEAD /v1/consume": "POST", "POST /livez": "GET, HEAD", "DELETE /v1/policies": "GET, HEAD",
		"BREW /v1/cluster/join": "POST",
	} {
		res, answer := b.do(line, "")
		if p := problem(t, res, answer); p.Status != 405 || res.Header.Get("Allow") != allow {
			t.Errorf("%s: %s with Allow: %s, want 405 with %s", line, res.Status, res.Header.Get("Allow"), allow)
		}
	}
}

// A member with a text of its own is named, with what it has to be.
func TestADecimalIsToldByItsName(t *testing.T) {
	b := newBench(t, api.Options{})
	for line, body := range map[string]string{
		"PUT /v1/policies/p": `{"capacity":1,"refill_rate":"1","interval_seconds":1}`,
		"PUT /v1/pools/p":    `{"capacity_per_second":0.0000001}`,
	} {
		res, answer := b.do(line, body)
		p := problem(t, res, answer)
		if p.Status != 400 || !strings.HasSuffix(p.Detail, " must be a number, not negative, with at most six digits after the point") {
			t.Errorf("%s %s: %s", line, body, answer)
		}
	}
}
