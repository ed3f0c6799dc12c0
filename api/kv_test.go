package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
)

func TestKeys(t *testing.T) {
	b := newBench(t, api.Options{})
	text := []string{"Content-Type: text/plain"}
	b.run([]exchange{
		{"GET /v1/kv/k", "", nil, 404, `{"type":"about:blank","title":"Not Found","status":404,"detail":"key \"k\": not found",…`},
		{"PUT /v1/kv/k", "hello", text, 201, ""},
		{"GET /v1/kv/k", "", nil, 200, "hello"},
		{"PUT /v1/kv/k", "", text, 204, ""}, // an empty value is a value
		{"GET /v1/kv/k", "", nil, 200, ""},
		{"PUT /v1/kv/k", "\x00\xff", []string{"Content-Type: "}, 204, ""},
		{"GET /v1/kv/k", "", nil, 200, "\x00\xff"},
		{"GET /v1/kv/k", "", []string{`If-None-Match: "v3"`}, 304, ""},
		{"GET /v1/kv/k", "", []string{`If-None-Match: "v2"`}, 200, "\x00\xff"},
		{"GET /v1/kv/k", "", []string{`If-None-Match: v3`}, 200, "\x00\xff"}, // no entity tag, no condition
		{"PUT /v1/kv/k", "x", []string{`If-Match: "v2"`}, 412, `{"type":"about:blank",…`},
		{"PUT /v1/kv/k", "x", []string{`If-Match: "v3"`}, 204, ""},
		{"PUT /v1/kv/k", "x", []string{`If-None-Match: *`}, 412, `{"type":"about:blank",…`},
		{"PUT /v1/kv/new", "x", []string{`If-None-Match: *`}, 201, ""},
		{"PUT /v1/kv/gone", "x", []string{`If-Match: *`}, 412, `{"type":"about:blank",…`},
		{"DELETE /v1/kv/k", "", []string{`If-Match: "v3"`}, 412, `{"type":"about:blank",…`},
		{"DELETE /v1/kv/k", "", []string{`If-Match: "v4"`}, 204, ""},
		{"DELETE /v1/kv/k", "", nil, 404, `{"type":"about:blank",…`},
		{"PUT /v1/kv/dir%2Ffile%201", "x", nil, 201, ""},
		{"GET /v1/kv/dir%2Ffile%201", "", nil, 200, "x"},
		{"PUT /v1/kv/" + strings.Repeat("k", 1024), strings.Repeat("v", 1<<20), nil, 201, ""},
	})
	for name, want := range map[string]string{
		"ETag": `"v7"`, "Content-Type": "application/json", "Expires": "", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "sandbox; default-src 'none'",
	} {
		b.backend.keys["h"] = api.Record{Key: "h", Value: []byte("{}"), ContentType: "application/json", Version: "v7"}
		if res, _ := b.do("GET /v1/kv/h", ""); res.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, res.Header.Get(name), want)
		}
	}
	b.run([]exchange{{"PUT /v1/kv/ttl?ttl_seconds=60", "x", nil, 201, ""}})
	if res, _ := b.do("GET /v1/kv/ttl", ""); res.Header.Get("Expires") != "Fri, 15 Jan 2027 08:00:00 GMT" {
		t.Errorf("Expires is %q", res.Header.Get("Expires"))
	}
}

func TestCounters(t *testing.T) {
	b := newBench(t, api.Options{})
	b.run([]exchange{
		{"POST /v1/kv/n/increment", "", nil, 200, `{"key":"n","value":1}`},
		{"POST /v1/kv/n/increment", `{}`, nil, 200, `{"key":"n","value":2}`},
		{"POST /v1/kv/n/increment", `{"by":40}`, nil, 200, `{"key":"n","value":42}`},
		{"POST /v1/kv/n/increment?by=-2", "", nil, 200, `{"key":"n","value":40}`},
		{"GET /v1/kv/n", "", nil, 200, `{"key":"n","value":40}`},
		{"PUT /v1/kv/n", "x", nil, 409, `{"type":"about:blank","title":"Conflict",…`},
		{"PUT /v1/kv/r", "x", nil, 201, ""},
		{"POST /v1/kv/r/increment", "", nil, 409, `{"type":"about:blank","title":"Conflict",…`},
		{"DELETE /v1/kv/n", "", nil, 204, ""},
	})
	b.backend.keys["c"] = api.Record{Key: "c", Counter: true, Number: 7}
	if res, _ := b.do("GET /v1/kv/c", ""); res.Header.Get("ETag") != "" {
		t.Error("a counter has an ETag")
	}
}

func TestListing(t *testing.T) {
	b := newBench(t, api.Options{})
	b.backend.keys = map[string]api.Record{
		"a/1": {Key: "a/1", Value: []byte("text"), ContentType: "text/plain", Version: "v1"},
		"a/2": {Key: "a/2", Value: []byte{0xff, 0}, Version: "v2", ExpiresAt: putExpires},
		"a/3": {Key: "a/3", Counter: true, Number: -3},
		"b":   {Key: "b", Version: "v3"},
	}
	one := `{"key":"a/1","kind":"register","content_type":"text/plain","size":4,"etag":"\"v1\""`
	two := `{"key":"a/2","kind":"register","content_type":"application/octet-stream","size":2,"etag":"\"v2\"","expires_at":"2027-01-15T08:00:00.000Z"`
	three := `{"key":"a/3","kind":"counter","counter":-3}`
	four := `{"key":"b","kind":"register","content_type":"application/octet-stream","etag":"\"v3\""`
	b.run([]exchange{
		{"GET /v1/kv", "", nil, 200, `{"keys":[` + one + `},` + two + `},` + three + `,` + four + `}]}`},
		{"GET /v1/kv?values=1", "", nil, 200, `{"keys":[` + one + `,"value":"text"},` + two + `,"value_base64":"/wA="},` + three + `,` + four + `,"value":""}]}`},
		{"GET /v1/kv?prefix=a/&limit=2", "", nil, 200, `{"keys":[` + one + `},` + two + `}],"next":"a/2"}`},
		{"GET /v1/kv?prefix=a/&limit=2&after=a/2", "", nil, 200, `{"keys":[` + three + `]}`},
		{"GET /v1/kv?watch=0&prefix=b", "", nil, 200, `{"keys":[` + four + `}]}`},
		{"GET /v1/kv?prefix=watch", "", nil, 200, `{"keys":[]}`},
	})
}

// TestListingBytes: a page with values ends early rather than become huge.
func TestListingBytes(t *testing.T) {
	b := newBench(t, api.Options{})
	for i := range 8 {
		key := string(rune('a' + i))
		b.backend.keys[key] = api.Record{Key: key, Value: make([]byte, 1<<20), Version: "v"}
	}
	for target, keys := range map[string]int{"GET /v1/kv": 8, "GET /v1/kv?values=1": 4} {
		_, answer := b.do(target, "")
		var l wire.KeyList
		if err := json.Unmarshal([]byte(answer), &l); err != nil || len(l.Keys) != keys || (keys < 8) != (l.Next != "") {
			t.Errorf("%s: %d keys, next %q, want %d: %v", target, len(l.Keys), l.Next, keys, err)
		}
	}
}

func TestKeyBatch(t *testing.T) {
	b := newBench(t, api.Options{})
	b.run([]exchange{{"POST /v1/kv", `{"operations":[
		{"op":"put","key":"a","value":"é"},
		{"op":"put","key":"b","value_base64":"/wA=","ttl_seconds":9},
		{"op":"put","key":"a","value":"","content_type":"text/css","if_none_match":"*"},
		{"op":"put","key":"a","value":"2","content_type":"text/css","if_match":"\"v1\""},
		{"op":"get","key":"a"}, {"op":"get","key":"b"}, {"op":"get","key":"c"},
		{"op":"increment","key":"n"}, {"op":"increment","key":"n","by":-5}, {"op":"get","key":"n"}, {"op":"increment","key":"a"},
		{"op":"delete","key":"a","if_match":"\"v1\""}, {"op":"delete","key":"a"}, {"op":"delete","key":"a"}
	]}`, nil, 200, `{"results":[` + strings.Join([]string{
		`{"key":"a","status":201,"etag":"\"v1\""}`,
		`{"key":"b","status":201,"etag":"\"v2\""}`,
		`{"key":"a","status":412,"problem":{"type":"about:blank","title":"Precondition Failed","status":412,"detail":"precondition failed: If-None-Match does not hold"}}`,
		`{"key":"a","status":204,"etag":"\"v3\""}`,
		`{"key":"a","status":200,"content_type":"text/css","etag":"\"v3\"","value":"2"}`,
		`{"key":"b","status":200,"content_type":"application/octet-stream","etag":"\"v2\"","expires_at":"2027-01-15T08:00:00.000Z","value_base64":"/wA="}`,
		`{"key":"c","status":404,"problem":{"type":"about:blank","title":"Not Found","status":404,"detail":"not found"}}`,
		`{"key":"n","status":200,"counter":1}`,
		`{"key":"n","status":200,"counter":-4}`,
		`{"key":"n","status":200,"counter":-4}`,
		`{"key":"a","status":409,"problem":{"type":"about:blank","title":"Conflict","status":409,"detail":"conflict: the key is a register"}}`,
		`{"key":"a","status":412,"problem":{"type":"about:blank","title":"Precondition Failed","status":412,"detail":"precondition failed: If-Match does not hold"}}`,
		`{"key":"a","status":204}`,
		`{"key":"a","status":404,"problem":{"type":"about:blank","title":"Not Found","status":404,"detail":"key \"a\": not found"}}`,
	}, ",") + `]}`}})
}

// TestConditions walks through what If-Match and If-None-Match mean.
func TestConditions(t *testing.T) {
	star, v1, v2 := []string{"*"}, []string{"v1"}, []string{"v0", "v2"}
	for _, c := range []struct {
		cond    api.Condition
		exists  bool
		version string
		want    bool
	}{
		{api.Condition{}, false, "", true},
		{api.Condition{}, true, "v1", true},
		{api.Condition{Match: star}, false, "", false},
		{api.Condition{Match: star}, true, "v1", true},
		{api.Condition{Match: v1}, true, "v1", true},
		{api.Condition{Match: v1}, true, "v2", false},
		{api.Condition{Match: v2}, true, "v2", true},
		{api.Condition{Match: v1}, false, "", false},
		{api.Condition{NoneMatch: star}, false, "", true},
		{api.Condition{NoneMatch: star}, true, "v1", false},
		{api.Condition{NoneMatch: v1}, true, "v1", false},
		{api.Condition{NoneMatch: v1}, true, "v2", true},
		{api.Condition{NoneMatch: v1}, false, "", true},
		{api.Condition{Match: v2, NoneMatch: v1}, true, "v2", true},
		{api.Condition{Match: star}, true, "", true}, // a counter has no version
		{api.Condition{Match: v1}, true, "", false},
	} {
		if err := c.cond.Check(c.exists, c.version); (err == nil) != c.want {
			t.Errorf("%+v against exists=%v version=%q: %v, want ok=%v", c.cond, c.exists, c.version, err, c.want)
		}
	}
}
