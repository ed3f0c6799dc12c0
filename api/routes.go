package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/openclaw/clawd/access"
)

// route is one operation of the contract: openapi.yaml has the same templates and methods, and a test holds the two
// together.
type route struct {
	method   string
	template string
	needs    access.Right // of the caller; the zero value closes the route to everybody
	handle   handler
}

// handler answers one request, or returns an error before it has written anything: the error becomes a problem.
type handler func(w http.ResponseWriter, r *http.Request) error

// NewPublic is the handler of the public listener: the API, and unless SeparateOperations is set health and metrics.
func NewPublic(o Options) (http.Handler, error) {
	if o.Public == nil {
		return nil, errors.New("api: Options.Public is missing")
	}
	o = o.withDefaults()
	b := o.Public
	c := &consumer{limiter: b, legacy: o.LegacyHeaders}
	a := agents{read: b, admin: b}
	p := policies{read: b, write: b}
	pl := pools{read: b, write: b}
	fb := feedback{sink: b, stopping: o.Stopping}
	pr := prices{read: b, write: b}
	u := usage{record: b, read: b}
	k := keys{read: b, write: b, batch: b}
	w := newWatch(b, o)
	cl := cluster{view: b, admin: b, backup: b}
	ak := apiKeys{issue: b, list: b}
	tn := tenants{read: b, write: b}
	// The hottest comes first, since the router looks at them in this order.
	routes := []route{
		{http.MethodPost, consumeTemplate, access.Consume, c.serve},
		{http.MethodPost, batchTemplate, access.Consume, c.serveBatch},
		{http.MethodGet, "/v1/agents/{agent}", access.Read, a.explain},
		{http.MethodGet, "/v1/agents", access.Read, a.list},
		{http.MethodPost, "/v1/agents/{agent}/refund", access.Consume, a.refund},
		{http.MethodPost, "/v1/agents/{agent}/reset", access.Manage, a.reset},
		{http.MethodDelete, "/v1/agents/{agent}", access.Manage, a.delete},
		{http.MethodGet, "/v1/policies", access.Read, p.list},
		{http.MethodGet, "/v1/policies/{name}", access.Read, p.get},
		{http.MethodPut, "/v1/policies/{name}", access.Manage, p.put},
		{http.MethodDelete, "/v1/policies/{name}", access.Manage, p.delete},
		{http.MethodGet, "/v1/pools", access.Read, pl.list},
		{http.MethodGet, "/v1/pools/{name}", access.Read, pl.get},
		{http.MethodPut, "/v1/pools/{name}", access.Manage, pl.put},
		{http.MethodDelete, "/v1/pools/{name}", access.Manage, pl.delete},
		{http.MethodPost, "/v1/feedback", access.Consume, fb.post},
		{http.MethodPost, "/v1/usage", access.Consume, u.serve},
		{http.MethodGet, "/v1/agents/{agent}/usage", access.Read, u.statement},
		{http.MethodGet, "/v1/prices", access.Read, pr.list},
		{http.MethodGet, "/v1/prices/{model}", access.Read, pr.get},
		{http.MethodPut, "/v1/prices/{model}", access.Manage, pr.put},
		{http.MethodDelete, "/v1/prices/{model}", access.Manage, pr.delete},
		{http.MethodGet, "/v1/kv", access.Read, w.orElse(k.list)},
		{http.MethodPost, "/v1/kv", access.Store, k.serveBatch},
		{http.MethodGet, "/v1/kv/{key}", access.Read, k.get},
		{http.MethodPut, "/v1/kv/{key}", access.Store, k.put},
		{http.MethodDelete, "/v1/kv/{key}", access.Store, k.delete},
		{http.MethodPost, "/v1/kv/{key}/increment", access.Store, k.increment},
		{http.MethodGet, "/v1/cluster", access.View, cl.get},
		{http.MethodPost, "/v1/cluster/join", access.Operate, cl.join},
		{http.MethodPost, "/v1/cluster/leave", access.Operate, cl.leave},
		{http.MethodPost, "/v1/cluster/forget", access.Operate, cl.forget},
		{http.MethodPost, "/v1/backup", access.Operate, cl.backUp},
		{http.MethodGet, "/v1/keys", access.Issue, ak.show},
		{http.MethodPost, "/v1/keys", access.Issue, ak.create},
		{http.MethodPost, "/v1/keys/{id}/rotate", access.Issue, ak.rotate},
		{http.MethodDelete, "/v1/keys/{id}", access.Issue, ak.revoke},
		{http.MethodGet, "/v1/tenants", access.Read, tn.list},
		{http.MethodGet, "/v1/tenants/{tenant}", access.Read, tn.get},
		{http.MethodPut, "/v1/tenants/{tenant}", access.Govern, tn.put},
		{http.MethodDelete, "/v1/tenants/{tenant}", access.Govern, tn.delete},
		{http.MethodGet, "/openapi.yaml", access.Open, serveContract},
	}
	if !o.SeparateOperations {
		routes = append(routes, operations(b, o)...)
	}
	return newServer(o, routes)
}

// NewOperations is the handler of an operations listener: health and metrics alone.
func NewOperations(o Options) (http.Handler, error) {
	if o.Public == nil {
		return nil, errors.New("api: Options.Public is missing")
	}
	o = o.withDefaults()
	return newServer(o, operations(o.Public, o))
}

func operations(b Health, o Options) []route {
	h := health{b}
	routes := []route{
		{http.MethodGet, "/livez", access.Open, h.live},
		{http.MethodGet, "/readyz", access.Open, h.ready},
		{http.MethodGet, "/healthz", access.Open, h.live}, // the name older probes ask for
	}
	if o.Metrics != nil {
		routes = append(routes, route{http.MethodGet, "/metrics", o.scraping(), o.scrape})
	}
	return routes
}

// scraping is what a scraper needs.
func (o Options) scraping() access.Right {
	if o.OpenMetrics {
		return access.Open
	}
	return access.Scrape
}

// scrape answers GET /metrics: the node's, or to a scraper of one tenant that tenant's.
func (o Options) scrape(w http.ResponseWriter, r *http.Request) error {
	c := callerOf(w)
	if c == nil || c.Role.ClusterWide() || c.Tenant.Name() == DefaultTenant {
		o.Metrics.ServeHTTP(w, r)
		return nil
	}
	if o.TenantMetrics == nil {
		return fmt.Errorf("%w: the node's metrics are those of all tenants", ErrForbidden)
	}
	o.TenantMetrics(c.Tenant).ServeHTTP(w, r)
	return nil
}

// NewPeer is the handler of the peer listener. Who may connect is the listener's business; a verified client
// certificate is passed on as the peer's name.
func NewPeer(o Options) (http.Handler, error) {
	if o.Peer == nil {
		return nil, errors.New("api: Options.Peer is missing")
	}
	o = o.withDefaults()
	o.Gate = nil // keys are for clients
	p := peer{merger: o.Peer, source: o.Peer, auditor: o.Peer}
	return newServer(o, []route{
		{http.MethodPost, "/v1/merge", access.Open, p.merge},
		{http.MethodPost, "/v1/pull", access.Open, p.pull},
		{http.MethodGet, "/v1/digest", access.Open, p.digest},
		{http.MethodPost, "/v1/bucket", access.Open, p.bucket},
		{http.MethodGet, "/v1/snapshot", access.Open, p.snapshot},
	})
}

// server is a router over a table of routes, with what surrounds every handler.
type server struct {
	Options
	metrics *metrics
	router  *mux.Router
	routes  []*mux.Route // in the order of the table
	methods []string     // of each
}

func newServer(o Options, table []route) (http.Handler, error) {
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	// The router sees the path as it was sent: %2F is part of a name, and nothing is cleaned away or redirected.
	s := &server{Options: o, metrics: m, router: mux.NewRouter().UseEncodedPath().SkipClean(true)}
	for _, rt := range table {
		s.routes = append(s.routes, s.router.Handle(pattern(rt.template), s.surround(rt)).Methods(rt.method))
		s.methods = append(s.methods, rt.method)
	}
	s.router.NotFoundHandler = s.surround(route{template: unmatched, needs: access.Known, handle: notFound})
	s.router.MethodNotAllowedHandler = s.surround(route{template: unmatched, needs: access.Known, handle: s.methodNotAllowed})
	return s, nil
}

// pattern is the router's form of a template. Its parameters may be empty, so that an empty name is told from an
// unknown route.
func pattern(template string) string { return strings.ReplaceAll(template, "}", ":[^/]*}") }

// ServeHTTP answers HEAD as GET; net/http leaves the body out.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		get := *r
		get.Method = http.MethodGet
		w, r = headWriter{w}, &get
	}
	s.router.ServeHTTP(w, r)
}

// headWriter marks the answer to a HEAD, for the one handler whose GET never ends.
type headWriter struct{ http.ResponseWriter }

// Unwrap is for http.ResponseController.
func (h headWriter) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func notFound(http.ResponseWriter, *http.Request) error {
	return fmt.Errorf("%w: there is no such route; /openapi.yaml lists them", ErrNotFound)
}

// methodNotAllowed names the methods the path has.
func (s *server) methodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for i, rt := range s.routes {
		try := *r
		try.Method = s.methods[i]
		if rt.Match(&try, &mux.RouteMatch{}) && !slices.Contains(allowed, try.Method) {
			allowed = append(allowed, try.Method)
			if try.Method == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return fmt.Errorf("%w: the path has %s", errMethod, strings.Join(allowed, ", "))
}
