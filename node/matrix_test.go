package node

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
)

// who may use a route, as the documentation promises it; written out here so
// that a change of the table of rights has to be made twice.
const (
	everybody = "open"
	tenantly  = "admin operator tenant-admin consumer"
	readers   = "admin operator tenant-admin consumer read-only"
	managers  = "admin operator tenant-admin"
	viewers   = "admin operator tenant-admin read-only"
	operators = "admin operator"
	issuers   = "admin tenant-admin"
	admins    = "admin"
	scrapers  = "admin operator metrics"
)

// attempt is a request of the matrix. Where doing it would end the test (a
// node that leaves), it is made wrong, so that the answer of those who may is
// a 400.
type attempt struct{ path, body, may string }

// matrix has an entry for each route of the public listener. The names in it
// are those of things that the other tenant has.
var matrix = map[string]attempt{
	"POST /v1/agents/{agent}/consume": {"/v1/agents/shared/consume", `{"tokens":1}`, tenantly},
	"POST /v1/consume":                {"/v1/consume", `{"checks":[{"agent":"shared"}]}`, tenantly},
	"GET /v1/agents/{agent}":          {"/v1/agents/shared", "", readers},
	"GET /v1/agents":                  {"/v1/agents?top=1000", "", readers},
	"POST /v1/agents/{agent}/refund":  {"/v1/agents/shared/refund", `{"tokens":1}`, tenantly},
	"POST /v1/agents/{agent}/reset":   {"/v1/agents/shared/reset", "", managers},
	"DELETE /v1/agents/{agent}":       {"/v1/agents/shared", "", managers},
	"GET /v1/policies":                {"/v1/policies", "", readers},
	"GET /v1/policies/{name}":         {"/v1/policies/shared", "", readers},
	"PUT /v1/policies/{name}":         {"/v1/policies/other", `{"capacity":1,"refill_rate":1,"interval_seconds":1}`, managers},
	"DELETE /v1/policies/{name}":      {"/v1/policies/shared", "", managers},
	"GET /v1/pools":                   {"/v1/pools", "", readers},
	"GET /v1/pools/{name}":            {"/v1/pools/shared", "", readers},
	"PUT /v1/pools/{name}":            {"/v1/pools/mine", `{"capacity":-1}`, managers},
	"DELETE /v1/pools/{name}":         {"/v1/pools/shared", "", managers},
	"POST /v1/feedback":               {"/v1/feedback", `{}`, tenantly},
	"POST /v1/usage":                  {"/v1/usage", `{"event_id":"shared","agent":"shared","model":"shared"}`, tenantly},
	"GET /v1/agents/{agent}/usage":    {"/v1/agents/shared/usage", "", readers},
	"GET /v1/prices":                  {"/v1/prices", "", readers},
	"GET /v1/prices/{model}":          {"/v1/prices/shared", "", readers},
	"PUT /v1/prices/{model}":          {"/v1/prices/mine", `{"currency":"USD"}`, managers},
	"DELETE /v1/prices/{model}":       {"/v1/prices/shared", "", managers},
	"GET /v1/kv":                      {"/v1/kv?values=1", "", readers},
	"POST /v1/kv":                     {"/v1/kv", `{"operations":[{"op":"get","key":"shared"},{"op":"delete","key":"shared"}]}`, tenantly},
	"GET /v1/kv/{key}":                {"/v1/kv/shared", "", readers},
	"PUT /v1/kv/{key}":                {"/v1/kv/mine", `"x"`, tenantly},
	"DELETE /v1/kv/{key}":             {"/v1/kv/shared", "", tenantly},
	"POST /v1/kv/{key}/increment":     {"/v1/kv/count/increment", "", tenantly},
	"GET /v1/cluster":                 {"/v1/cluster", "", viewers},
	"POST /v1/cluster/join":           {"/v1/cluster/join", `{}`, operators},
	"POST /v1/cluster/leave":          {"/v1/cluster/leave?no=1", "", operators},
	"POST /v1/cluster/forget":         {"/v1/cluster/forget", `{}`, operators},
	"POST /v1/backup":                 {"/v1/backup", `{}`, operators},
	"GET /v1/keys":                    {"/v1/keys", "", issuers},
	"POST /v1/keys":                   {"/v1/keys", `{"role":"king"}`, issuers},
	"POST /v1/keys/{id}/rotate":       {"/v1/keys/SHAREDKEY/rotate", "", issuers},
	"DELETE /v1/keys/{id}":            {"/v1/keys/SHAREDKEY", "", issuers},
	"GET /v1/tenants":                 {"/v1/tenants", "", readers},
	"GET /v1/tenants/{tenant}":        {"/v1/tenants/marker-tenant", "", readers},
	"PUT /v1/tenants/{tenant}":        {"/v1/tenants/marker-tenant", `{"quota":{"agents":-1}}`, admins},
	"DELETE /v1/tenants/{tenant}":     {"/v1/tenants/marker-tenant", "", admins},
	"GET /metrics":                    {"/metrics", "", scrapers},
	"GET /livez":                      {"/livez", "", everybody},
	"GET /readyz":                     {"/readyz", "", everybody},
	"GET /healthz":                    {"/healthz", "", everybody},
	"GET /openapi.yaml":               {"/openapi.yaml", "", everybody},
}

// routesOfContract are the routes of the public listener by openapi.yaml.
func routesOfContract(t *testing.T) (routes []string) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Contract)
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		if len(item.Servers) > 0 {
			continue // the peer listener's
		}
		for method := range item.Operations() {
			routes = append(routes, method+" "+path)
		}
	}
	slices.Sort(routes)
	return routes
}

// gated is a node with keys.
type gated struct {
	t    *testing.T
	node *Node
	keys map[string]wire.APIKey // by tenant/role
}

const (
	foreign = "marker-tenant" // the tenant whose things nobody else may see
	own     = "acme"
)

func newGated(t *testing.T) *gated {
	g := &gated{t: t, node: open(t, peered(t, "a")), keys: map[string]wire.APIKey{}}
	waitReady(t, g.node)
	g.make("default", access.Admin)
	for _, tenant := range []string{foreign, own} {
		for _, role := range access.Roles {
			g.make(tenant, role)
		}
	}
	return g
}

func (g *gated) key(tenant string, role access.Role) string {
	return g.keys[tenant+"/"+string(role)].Key
}

func (g *gated) make(tenant string, role access.Role) {
	g.t.Helper()
	by, verdict := g.node.guard.Identify([]byte(g.key("default", access.Admin)), true, time.Now().UnixMilli())
	if verdict != access.Admitted {
		g.t.Fatal("the administrator is not admitted")
	}
	k, err := public{g.node}.CreateAPIKey(g.t.Context(), by, wire.NewAPIKey{Role: string(role), Tenant: tenant})
	if err != nil {
		g.t.Fatal(err)
	}
	g.keys[tenant+"/"+string(role)] = k
}

// call makes a request and returns the answer's status and all of its text,
// headers included, but for what differs from call to call.
func (g *gated) call(method, path, body, key string) (int, string) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, "http://"+g.node.HTTPAddr()+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	var all bytes.Buffer
	_ = resp.Header.Write(&all)
	return resp.StatusCode, all.String() + string(text)
}

// furnish gives the foreign tenant one of everything, each with a mark in it.
func (g *gated) furnish() {
	g.t.Helper()
	admin := g.key(foreign, access.TenantAdmin)
	for _, c := range [][3]string{
		{"POST", "/v1/agents/shared/consume", `{"tokens":864}`},
		{"POST", "/v1/agents/marker-agent/consume", ""},
		{"PUT", "/v1/policies/shared", `{"match":"marker-*","capacity":90909,"refill_rate":1,"interval_seconds":1}`},
		{"PUT", "/v1/policies/marker-policy", `{"match":"shared","capacity":90909,"refill_rate":1,"interval_seconds":1}`},
		{"PUT", "/v1/kv/shared", `"marker-value"`},
		{"PUT", "/v1/kv/marker-key", `"marker-value"`},
		{"POST", "/v1/kv/count/increment", `{"by":86420}`},
		{"PUT", "/v1/prices/shared", `{"currency":"USD","input_per_million":"86.42"}`},
		{"PUT", "/v1/prices/marker-model", `{"currency":"USD","input_per_million":"86.42"}`},
		{"POST", "/v1/usage", `{"event_id":"shared","agent":"shared","model":"marker-model","input_tokens":86420}`},
	} {
		if status, text := g.call(c[0], c[1], c[2], admin); status >= 300 {
			g.t.Fatalf("%v: %d %s", c, status, text)
		}
	}
}

// TestEveryRouteHasARow: a route without an entry in the matrix fails here.
func TestEveryRouteHasARow(t *testing.T) {
	routes := routesOfContract(t)
	for _, r := range routes {
		if _, ok := matrix[r]; !ok {
			t.Errorf("%s has no row in the matrix: say who may use it", r)
		}
	}
	for r := range matrix {
		if !slices.Contains(routes, r) {
			t.Errorf("%s is in the matrix, but no route", r)
		}
	}
}

// TestRolesByRoute: every route with no key, a wrong key, and each role.
func TestRolesByRoute(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.furnish()
	for _, route := range routesOfContract(t) {
		a := matrix[route]
		method, _, _ := strings.Cut(route, " ")
		path := strings.ReplaceAll(a.path, "SHAREDKEY", "00000000000000aa")
		var texts []string
		for _, key := range []string{"", "ock_0000000000000000_" + strings.Repeat("A", 43), g.key(own, access.Admin) + "x", "nonsense"} {
			status, text := g.call(method, path, a.body, key)
			if a.may == everybody {
				if status != http.StatusOK {
					t.Errorf("%s with key %q: %d %s", route, key, status, text)
				}
				continue
			}
			if status != http.StatusUnauthorized || !strings.Contains(text, "Www-Authenticate: Bearer") {
				t.Errorf("%s with key %q: %d", route, key, status)
			}
			texts = append(texts, text[strings.Index(text, `"detail"`):strings.Index(text, `,"request_id"`)])
		}
		if len(slices.Compact(texts)) > 1 {
			t.Errorf("%s tells one bad key from another: %q", route, texts)
		}
		for _, role := range access.Roles {
			status, text := g.call(method, path, a.body, g.key(own, role))
			may := a.may == everybody || slices.Contains(strings.Fields(a.may), string(role))
			if refused := status == http.StatusForbidden || status == http.StatusUnauthorized; may == refused {
				t.Errorf("%s as %s: %d, want admitted %v\n%s", route, role, status, may, text)
			}
			if status >= 500 {
				t.Errorf("%s as %s: %d %s", route, role, status, text)
			}
		}
	}
}

// TestNoRouteShowsAnotherTenant: whatever a key of one tenant asks, the answer
// tells nothing of what another tenant has, and changes nothing of it.
func TestNoRouteShowsAnotherTenant(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.furnish()
	before := g.inventory()
	for _, route := range routesOfContract(t) {
		a := matrix[route]
		method, _, _ := strings.Cut(route, " ")
		path := strings.ReplaceAll(a.path, "SHAREDKEY", g.keys[foreign+"/consumer"].ID)
		for _, role := range access.Roles {
			if role == access.Admin || role == access.Operator && (strings.HasPrefix(path, "/v1/tenants") || path == "/metrics") {
				continue // theirs is the whole cluster
			}
			status, text := g.call(method, path, a.body, g.key(own, role))
			asked := strings.Contains(path, "marker") // the name asked for may be repeated
			if !asked && strings.Contains(text, "marker") || strings.Contains(text, "90909") || strings.Contains(text, "86420") || strings.Contains(text, "864}") {
				t.Errorf("%s as %s shows another tenant's: %d\n%s", route, role, status, text)
			}
			if asked && status != http.StatusForbidden && status != http.StatusNotFound {
				t.Errorf("%s as %s: %d %s", route, role, status, text)
			}
		}
	}
	if after := g.inventory(); after != before {
		t.Errorf("the other tenant's things were\n%s\nand are\n%s", before, after)
	}
}

// inventory is all that the foreign tenant has.
func (g *gated) inventory() string {
	admin := g.key(foreign, access.TenantAdmin)
	var all []string
	for _, path := range []string{"/v1/policies", "/v1/kv?values=1", "/v1/keys"} {
		status, text := g.call("GET", path, "", admin)
		if status != http.StatusOK {
			g.t.Fatalf("%s: %d", path, status)
		}
		_, body, _ := strings.Cut(text, "{")
		all = append(all, body)
	}
	v, _, err := public{g.node}.ListAgents(g.t.Context(), api.Page{Tenant: foreign, Limit: 10})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, a := range v {
		all = append(all, a.Agent+" "+string(rune('0'+a.Consumed%10)))
	}
	return strings.Join(all, "\n")
}

// TestAnAbsentThingLooksLikeAForeignOne: the answer about a name that another
// tenant has is that about a name that nobody has.
func TestAnAbsentThingLooksLikeAForeignOne(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.furnish()
	admin := g.key(own, access.TenantAdmin)
	for _, c := range [][3]string{
		{"GET", "/v1/kv/shared", "/v1/kv/absent"},
		{"DELETE", "/v1/kv/shared", "/v1/kv/absent"},
		{"GET", "/v1/policies/shared", "/v1/policies/absent"},
		{"DELETE", "/v1/policies/shared", "/v1/policies/absent"},
		{"GET", "/v1/agents/shared", "/v1/agents/absent"},
		{"GET", "/v1/tenants/" + foreign, "/v1/tenants/absent"},
		{"POST", "/v1/keys/" + g.keys[foreign+"/consumer"].ID + "/rotate", "/v1/keys/00000000000000aa/rotate"},
		{"DELETE", "/v1/keys/" + g.keys[foreign+"/consumer"].ID, "/v1/keys/00000000000000aa"},
	} {
		answer := func(path string) string {
			status, text := g.call(c[0], path, "", admin)
			_, body, _ := strings.Cut(text, "{")
			body, _, _ = strings.Cut(body, `,"request_id"`)
			name := path[strings.LastIndex(path, "/")+1:]
			return http.StatusText(status) + strings.ReplaceAll(body, name, "NAME")
		}
		if here, absent := answer(c[1]), answer(c[2]); here != absent {
			t.Errorf("%s %s: %s\nbut of a name nobody has: %s", c[0], c[1], here, absent)
		}
	}
}

// TestAStreamShowsItsTenantAlone: a change stream has the changes of its own
// tenant, and ends with its key.
func TestAStreamShowsItsTenantAlone(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.node.HTTPAddr()+"/v1/kv?watch=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.key(own, access.ReadOnly))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	g.furnish()
	if status, text := g.call("PUT", "/v1/kv/mine", `"seen"`, g.key(own, access.Consumer)); status >= 300 {
		t.Fatal(status, text)
	}
	id := g.keys[own+"/read-only"].ID
	if status, text := g.call("DELETE", "/v1/keys/"+id, "", g.key(own, access.TenantAdmin)); status != http.StatusNoContent {
		t.Fatal(status, text)
	}
	text, err := io.ReadAll(resp.Body) // ends, as the key has
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"mine"`) || strings.Contains(string(text), "shared") || strings.Contains(string(text), "marker") {
		t.Errorf("the stream was\n%s", text)
	}
}
