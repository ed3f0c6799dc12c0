package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/front"
	"github.com/openclaw/clawd/api/wire"
)

// raw is a request as it comes from a connection.
func raw(line, body string, fields ...string) []byte {
	head := line + " HTTP/1.1\r\nHost: x\r\n"
	for _, f := range fields {
		head += f + "\r\n"
	}
	if body != "" {
		head += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return []byte(head + "\r\n" + body)
}

const isJSON = "Content-Type: application/json"

// FuzzPublic: whatever net/http takes for a request gets an answer that a healthy
// node gives: never a failure, and a refusal is a problem document.
func FuzzPublic(f *testing.F) {
	for _, r := range [][]byte{
		raw("POST /v1/agents/a%2Fb/consume?tokens=2", ""),
		raw("POST /v1/agents/a/refund", `{"tokens":1,"policy":{"capacity":5,"refill_rate":1,"interval_seconds":1}}`, isJSON),
		raw("POST /v1/agents/a/reset", ""), raw("DELETE /v1/agents/a", ""), raw("GET /v1/agents/a?tokens=3", ""),
		raw("GET /v1/agents?prefix=a&after=b&limit=2", ""), raw("GET /v1/agents?top=5", ""),
		raw("POST /v1/consume", `{"atomic":true,"checks":[{"agent":"a","tokens":2}]}`, isJSON),
		raw("PUT /v1/policies/p", `{"match":"a*","capacity":5,"refill_rate":0.5,"interval_seconds":60,"durability":"sync","floor":0}`, isJSON, `If-None-Match: *`),
		raw("GET /v1/policies?limit=1", ""), raw("DELETE /v1/policies/p", "", `If-Match: "1"`),
		raw("PUT /v1/kv/a%20b?ttl_seconds=5", "value", "Content-Type: text/plain", `If-Match: "1", "2"`),
		raw("GET /v1/kv/%C3%A9", "", `If-None-Match: "1"`), raw("POST /v1/kv/c/increment", `{"by":-2}`, isJSON),
		raw("POST /v1/kv", `{"operations":[{"op":"put","key":"k","value_base64":"AAE="},{"op":"get","key":"k"},{"op":"delete","key":"k","if_match":"*"}]}`, isJSON),
		raw("GET /v1/kv?prefix=a&values=1", ""), raw("GET /v1/cluster", ""), raw("POST /v1/cluster/join", `{"addresses":["a:1"]}`, isJSON),
		raw("POST /v1/cluster/forget", `{"member":"x"}`, isJSON), raw("POST /v1/backup", `{"directory":"/tmp/x"}`, isJSON),
		raw("GET /readyz?verbose", ""), raw("GET /openapi.yaml", ""), raw("OPTIONS *", ""), raw("GET /v1/../v1//cluster", ""),
	} {
		f.Add(r)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil || strings.Contains(req.URL.RawQuery, "watch") || strings.HasPrefix(req.URL.Path, "/v1/events") {
			return // a stream goes on for ever
		}
		if _, err := io.ReadAll(req.Body); err != nil {
			return // net/http answers that itself
		}
		req, err = http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatal(err)
		}
		h, err := api.NewPublic(api.Options{Public: newDouble()})
		if err != nil {
			t.Fatal(err)
		}
		req.RemoteAddr = "127.0.0.1:1"
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code >= 500 && rec.Code != http.StatusNotImplemented {
			t.Fatalf("%s %s answered %d: %s", req.Method, req.RequestURI, rec.Code, rec.Body)
		}
		if rec.Code < 400 || req.Method == http.MethodHead {
			return
		}
		var p wire.Problem
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Status != rec.Code || p.Title == "" {
			t.Fatalf("%s %s: %d without a problem document: %s", req.Method, req.RequestURI, rec.Code, rec.Body)
		}
	})
}

// FuzzHot: what is answered in front of the router, the router answers the same.
func FuzzHot(f *testing.F) {
	f.Add("/v1/agents/a%2Fb/consume", "tokens=2&deny_status=200", "")
	f.Add("/v1/agents/a/consume", "", `{"tokens":900,"policy":{"capacity":1000,"refill_rate":1.5,"interval_seconds":60}}`)
	f.Add("/v1/consume", "", `{"checks":[{"agent":"a\u00e9","tokens":2},{"agent":"b"}],"atomic":true}`)
	f.Add("/v1/agents/%C3%A9%22/consume", "tokens=99999", "")
	f.Fuzz(func(t *testing.T, path, query, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.EscapedPath() != path || strings.ContainsAny(path, "?# ") {
			return // no path that a request line can hold, or not in this spelling
		}
		hot, err := api.NewHot(api.Options{Public: newDouble(), Registerer: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		out, ok := hot.Answer(t.Context(), &front.Request{Path: []byte(path), Query: []byte(query), Body: []byte(body), Local: true}, nil, false)
		if !ok {
			return
		}
		got, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), nil)
		if err != nil {
			t.Fatalf("%q is no answer: %v", out, err)
		}
		gotBody, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}

		h, err := api.NewPublic(api.Options{Public: newDouble()})
		if err != nil {
			t.Fatal(err)
		}
		target := path
		if query != "" {
			target += "?" + query
		}
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.RequestURI, req.RemoteAddr = target, "127.0.0.1:1"
		if req.URL, err = url.ParseRequestURI(target); err != nil {
			t.Fatalf("%q was answered, and is no target: %v", target, err)
		}
		if body != "" {
			req.Header.Set("Content-Type", wire.ContentTypeJSON)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		want := rec.Result()
		for _, header := range []http.Header{got.Header, want.Header} {
			header.Del("Date")
			header.Del("X-Request-Id")
			header.Del("Content-Length")
		}
		if got.StatusCode != want.StatusCode || string(gotBody) != rec.Body.String() || !reflect.DeepEqual(got.Header, want.Header) {
			t.Fatalf("%s %s\nin front %d %v %s\nbehind   %d %v %s", target, body, got.StatusCode, got.Header, gotBody, want.StatusCode, want.Header, rec.Body)
		}
	})
}

// FuzzNames: a name that is escaped in a path is the name that the backend sees,
// or is refused; no other agent ever pays.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a", "a/b", "..", ".", "é\"\\", "%2F", "a b?c#d", "\x00", "\xff", "//", "consume"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		segment := url.PathEscape(name)
		if strings.Trim(name, ".") == "" {
			segment = strings.ReplaceAll(name, ".", "%2E")
		}
		backend := newDouble()
		h, err := api.NewPublic(api.Options{Public: backend})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw("POST /v1/agents/"+segment+"/consume", ""))))
		if err != nil {
			t.Fatalf("%q does not fit into a request: %v", segment, err)
		}
		req.RemoteAddr = "127.0.0.1:1"
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		var d wire.Decision
		switch _ = json.Unmarshal(rec.Body.Bytes(), &d); {
		case rec.Code == http.StatusOK && (d.Agent != name || len(backend.consumed) != 1 || backend.consumed[name] != 1):
			t.Fatalf("%q consumed as %q: %v", name, d.Agent, backend.consumed)
		case rec.Code != http.StatusOK && len(backend.consumed) != 0:
			t.Fatalf("%q was refused with %d, and %v consumed", name, rec.Code, backend.consumed)
		case rec.Code != http.StatusOK && rec.Code != http.StatusBadRequest && rec.Code != http.StatusNotFound:
			t.Fatalf("%q: %d %s", name, rec.Code, rec.Body)
		}
	})
}
