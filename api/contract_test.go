package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/rating"
)

// contract is openapi.yaml, loaded and checked once.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

func loadContract(t testing.TB) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Contract)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	// Requests of the tests go to no particular host.
	doc.Servers = nil
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	openapi3filter.RegisterBodyDecoder("text/event-stream", plainBody)
	openapi3filter.RegisterBodyDecoder("application/yaml", plainBody)
	openapi3filter.RegisterBodyDecoder(wire.ContentTypeLines, plainBody)
	return &contract{doc, router}
}

func plainBody(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
	b, err := io.ReadAll(body)
	return string(b), err
}

// check holds one exchange against the contract: the answer always, the request only when it was a good one. Requests
// outside the contract (no such route, no such method) must have been answered by 404 or 405.
func (c *contract) check(t testing.TB, req *http.Request, body []byte, res *http.Response, answer []byte) {
	t.Helper()
	if req.Method == http.MethodHead {
		return
	}
	route, params, err := c.router.FindRoute(req)
	if err != nil {
		if !strings.Contains("404 405 400", res.Status[:3]) {
			t.Errorf("%s %s is not in the contract and was answered %s", req.Method, req.URL, res.Status)
		}
		return
	}
	if res.StatusCode == http.StatusNotFound && bytes.Contains(answer, []byte("no such route")) {
		return // on the other listener
	}
	for name, value := range params { // the library leaves them as they were sent
		params[name], _ = url.PathUnescape(value)
	}
	req = req.Clone(context.Background())
	if req.Header.Get("Content-Type") == "" && len(body) > 0 {
		req.Header.Set("Content-Type", wire.ContentTypeJSON) // what the contract says it is taken for
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	in := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	}
	if res.StatusCode < 400 {
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			t.Errorf("%s %s was accepted, but the contract says: %v", req.Method, req.URL, err)
		}
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.StatusCode, Header: res.Header,
		Body: io.NopCloser(bytes.NewReader(answer)), Options: in.Options,
	})
	if err != nil {
		t.Errorf("%s %s answered %d with %s, but the contract says: %v", req.Method, req.URL, res.StatusCode, answer, err)
	}
}

// TestContractRoutes: every route of the two listeners is in openapi.yaml, and the other way round.
func TestContractRoutes(t *testing.T) {
	c := loadContract(t)
	documented := map[string]bool{}
	for path, item := range c.doc.Paths.Map() {
		for method := range item.Operations() {
			documented[method+" "+path] = true
		}
	}
	o := api.Options{Public: newDouble(), Peer: newDouble(), Metrics: http.NotFoundHandler()}
	public, err := api.NewPublic(o)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := api.NewPeer(o)
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, h := range []http.Handler{public, peer} {
		for _, r := range api.Routes(h) {
			served[r] = true
			if !documented[r] {
				t.Errorf("%s is served, but not in openapi.yaml", r)
			}
		}
	}
	for r := range documented {
		if !served[r] {
			t.Errorf("%s is in openapi.yaml, but not served", r)
		}
	}
	if len(served) < 25 {
		t.Errorf("only %d routes were looked at", len(served))
	}
}

// TestContractSchemas: a wire type has the members its schema has, and its optional ones are not required.
func TestContractSchemas(t *testing.T) {
	c := loadContract(t)
	types := map[string]any{
		"Problem": wire.Problem{}, "InlinePolicy": wire.InlinePolicy{}, "ConsumeRequest": wire.ConsumeRequest{},
		"Decision": wire.Decision{}, "BatchRequest": wire.BatchRequest{}, "BatchCheck": wire.BatchCheck{},
		"BatchResponse": wire.BatchResponse{}, "Policy": wire.Policy{}, "PolicyList": wire.PolicyList{},
		"Price": wire.Price{}, "PriceList": wire.PriceList{}, "Tiers": rating.Tiers{}, "Tier": rating.Tier{}, "Item": wire.Item{},
		"UsageEvent": wire.UsageEvent{}, "UsageRequest": wire.UsageRequest{}, "UsageResult": wire.UsageResult{},
		"UsageResponse": wire.UsageResponse{}, "PriceVersion": wire.PriceVersion{}, "Statement": wire.Statement{},
		"StatementItem": wire.StatementItem{},
		"Agent":         wire.Agent{}, "Origin": wire.Origin{}, "Bucket": wire.Bucket{}, "Refill": wire.Refill{},
		"AgentSummary": wire.AgentSummary{}, "AgentList": wire.AgentList{}, "RefundRequest": wire.RefundRequest{},
		"RefundResponse": wire.RefundResponse{}, "ResetResponse": wire.ResetResponse{}, "KeyInfo": wire.KeyInfo{},
		"KeyList": wire.KeyList{}, "WatchEvent": wire.Event{}, "Counter": wire.Counter{},
		"IncrementRequest": wire.IncrementRequest{}, "KVBatchRequest": wire.KVBatchRequest{},
		"KVOperation": wire.KVOperation{}, "KVBatchResponse": wire.KVBatchResponse{}, "KVResult": wire.KVResult{},
		"Cluster": wire.Cluster{}, "Member": wire.Member{}, "JoinRequest": wire.JoinRequest{},
		"JoinResponse": wire.JoinResponse{}, "LeaveResponse": wire.LeaveResponse{}, "ForgetRequest": wire.ForgetRequest{},
		"ForgetResponse": wire.ForgetResponse{}, "Health": wire.Health{}, "HealthCheck": wire.HealthCheck{},
		"APIKey": wire.APIKey{}, "NewAPIKey": wire.NewAPIKey{}, "RotateAPIKey": wire.RotateAPIKey{},
		"APIKeyList": wire.APIKeyList{}, "Quota": wire.Quota{}, "NewTenant": wire.NewTenant{}, "Tenant": wire.Tenant{},
		"TenantUsage": wire.TenantUsage{}, "TenantList": wire.TenantList{},
		"BackupRequest": wire.BackupRequest{}, "BackupResponse": wire.BackupResponse{},
		"Pool": wire.Pool{}, "PoolList": wire.PoolList{}, "PoolState": wire.PoolState{}, "PoolStatus": wire.PoolStatus{},
		"Forecast": wire.Forecast{}, "FeedbackRequest": wire.FeedbackRequest{}, "FeedbackReport": wire.FeedbackReport{},
		"FeedbackResponse": wire.FeedbackResponse{},
	}
	for name, v := range types {
		ref := c.doc.Components.Schemas[name]
		if ref == nil {
			t.Errorf("there is no schema %s", name)
			continue
		}
		members := jsonMembers(reflect.TypeOf(v))
		for m, optional := range members {
			if ref.Value.Properties[m] == nil {
				t.Errorf("%s.%s is not in the schema", name, m)
			}
			if optional && slices.Contains(ref.Value.Required, m) {
				t.Errorf("%s.%s may be left out, but the schema requires it", name, m)
			}
		}
		for m := range ref.Value.Properties {
			if _, ok := members[m]; !ok {
				t.Errorf("%s.%s is in the schema, but not in the type", name, m)
			}
		}
	}
	for name, ref := range c.doc.Components.Schemas {
		if _, ok := types[name]; !ok && len(ref.Value.Properties) > 0 {
			t.Errorf("schema %s has no wire type here", name)
		}
	}
}

// jsonMembers are the names encoding/json gives the fields, and whether each may be left out.
func jsonMembers(t reflect.Type) map[string]bool {
	members := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			for name, optional := range jsonMembers(f.Type) {
				members[name] = optional
			}
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		members[name] = opts == "omitempty" || opts == "omitzero"
	}
	return members
}

// bench is a handler under test with its double and the contract.
type bench struct {
	*contract
	t       *testing.T
	backend *double
	handler http.Handler
}

func newBench(t *testing.T, o api.Options) *bench {
	t.Helper()
	b := &bench{contract: loadContract(t), t: t, backend: newDouble()}
	o.Public = b.backend
	var err error
	if b.handler, err = api.NewPublic(o); err != nil {
		t.Fatal(err)
	}
	return b
}

// do sends a request line ("POST /v1/…"), with headers as "Name: value", and holds the exchange against the contract.
// A body is JSON unless a header says otherwise.
func (b *bench) do(line, body string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	method, target, _ := strings.Cut(line, " ")
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", wire.ContentTypeJSON)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, req)
	res := rec.Result()
	answer := rec.Body.String()
	b.check(b.t, req, []byte(body), res, []byte(answer))
	return res, answer
}
