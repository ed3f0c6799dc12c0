package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openclaw/clawd/api"
)

// Every exchange is held against the contract as well.
func TestKeyAndTenantRoutes(t *testing.T) {
	b := newBench(t, api.Options{})
	const id = "/v1/keys/0000000000000001"
	for _, c := range []struct {
		line, body string
		want       int
		field      string
	}{
		{"POST /v1/keys", `{"role":"admin"}`, http.StatusCreated, ""},
		{"POST /v1/keys", `{"role":"consumer","tenant":"acme","name":"ci","expires_in_seconds":60}`, http.StatusCreated, ""},
		{"POST /v1/keys", `{"role":"king"}`, http.StatusBadRequest, "role"},
		{"POST /v1/keys", `{}`, http.StatusBadRequest, "role"},
		{"POST /v1/keys", `{"role":"admin","tenant":"a\u0000b"}`, http.StatusBadRequest, "tenant"},
		{"POST /v1/keys", `{"role":"admin","expires_in_seconds":-1}`, http.StatusBadRequest, "expires_in_seconds"},
		{"POST /v1/keys", `{"role":"admin","color":"red"}`, http.StatusBadRequest, "color"},
		{"GET /v1/keys", "", http.StatusOK, ""},
		{"GET /v1/keys?limit=1", "", http.StatusOK, ""},
		{"GET /v1/keys?limit=0", "", http.StatusBadRequest, "limit"},
		{"POST " + id + "/rotate", "", http.StatusCreated, ""},
		{"POST " + id + "/rotate", `{"grace_seconds":60}`, http.StatusCreated, ""},
		{"POST " + id + "/rotate", `{"grace_seconds":99999999}`, http.StatusBadRequest, "grace_seconds"},
		{"POST /v1/keys/nonsense/rotate", "", http.StatusBadRequest, "id"},
		{"DELETE " + id, "", http.StatusNoContent, ""},
		{"DELETE /v1/keys/00000000000000ff", "", http.StatusNotFound, ""},
		{"GET /v1/tenants/acme", "", http.StatusNotFound, ""},
		{"PUT /v1/tenants/acme", `{"quota":{"requests_per_second":10,"agents":5,"kv_bytes":100,"watchers":2,"merge_share":3}}`, http.StatusCreated, ""},
		{"PUT /v1/tenants/acme", `{"quota":{}}`, http.StatusOK, ""},
		{"PUT /v1/tenants/acme", `{"quota":{"watchers":-1}}`, http.StatusBadRequest, "quota.watchers"},
		{"PUT /v1/tenants/acme", `{"quota":{"requests_per_second":1000000001}}`, http.StatusBadRequest, "quota.requests_per_second"},
		{"GET /v1/tenants/acme", "", http.StatusOK, ""},
		{"GET /v1/tenants?prefix=a", "", http.StatusOK, ""},
		{"DELETE /v1/tenants/acme", "", http.StatusNoContent, ""},
	} {
		res, answer := b.do(c.line, c.body)
		if res.StatusCode != c.want || c.field != "" && !strings.Contains(answer, `"field":"`+c.field+`"`) {
			t.Errorf("%s %s: %d %s", c.line, c.body, res.StatusCode, answer)
		}
		if res.StatusCode == http.StatusCreated && strings.HasPrefix(c.line, "POST") && res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a secret may be cached", c.line)
		}
	}
}
