package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openclaw/clawd/access"
)

// Options configures the handlers. Fields without a default are required.
type Options struct {
	// Public answers what the public listener is asked. Required by NewPublic and NewOperations (there only its Health).
	Public PublicBackend
	// Peer answers what the other nodes ask. Required by NewPeer.
	Peer PeerBackend

	// Gate tells who calls, and so what they may. Default: everybody may do everything, as tenant "default".
	Gate Gate
	// OpenMetrics serves /metrics without a key, too. Default false.
	OpenMetrics bool

	// Metrics answers /metrics. Default: no such route.
	Metrics http.Handler
	// TenantMetrics answers /metrics to a scraper of a tenant other than the default one. Default: 403.
	TenantMetrics func(*access.Tenant) http.Handler
	// SeparateOperations leaves health and /metrics out of the public handler, for a node that serves NewOperations on
	// a listener of its own. Default false.
	SeparateOperations bool
	// LegacyHeaders adds X-RateLimit-Limit, -Remaining, -Reset and retry-after-ms to decisions, for clients that know
	// only those. Default false.
	LegacyHeaders bool

	// Heartbeat is how often an idle change stream sends a comment, so that proxies keep it open and a dead client is
	// noticed. Default 15 s.
	Heartbeat time.Duration
	// MaxWatchers bounds the open change streams of this handler; more get 503. Default 1000.
	MaxWatchers int
	// Stopping, when closed, ends the open change streams, which a server's Shutdown would wait for. Default never.
	Stopping <-chan struct{}

	// RequestID names a request for the log when its client did not. Default: a random prefix and a count.
	RequestID func() string
	// Logger receives panics and internal errors (error), and one line a request (debug). Default: silent.
	Logger *slog.Logger
	// Registerer receives the request metrics; the route is labelled by its template. One registerer may serve all
	// handlers of a node. Default: a registry nobody reads.
	Registerer prometheus.Registerer
	// Now is the clock request durations are taken from. Default time.Now.
	Now func() time.Time
}

const (
	defaultHeartbeat   = 15 * time.Second
	defaultMaxWatchers = 1000
)

func (o Options) withDefaults() Options {
	if o.Heartbeat <= 0 {
		o.Heartbeat = defaultHeartbeat
	}
	if o.MaxWatchers <= 0 {
		o.MaxWatchers = defaultMaxWatchers
	}
	if o.RequestID == nil {
		o.RequestID = countedIDs()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
