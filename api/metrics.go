package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts requests by route template, never by path.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	panics   prometheus.Counter
	watchers prometheus.Gauge
}

// newMetrics registers the series, or finds those another handler of the same node has registered.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clawd_http_requests_total", Help: "Requests answered, by route template, method and status code.",
		}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "clawd_http_request_duration_seconds", Help: "Time from the request's headers to the end of the answer, change streams left out.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "method"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "clawd_http_requests_in_flight", Help: "Requests being answered, open change streams included.",
		}, []string{"route", "method"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "clawd_http_panics_total", Help: "Handlers that panicked; each is a bug.",
		}),
		watchers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "clawd_http_watchers", Help: "Open change streams.",
		}),
	}
	err := errors.Join(register(reg, &m.requests), register(reg, &m.duration), register(reg, &m.inFlight),
		register(reg, &m.panics), register(reg, &m.watchers))
	if err != nil {
		return nil, fmt.Errorf("api: register metrics: %w", err)
	}
	return m, nil
}

// register registers *c, or replaces it by the equal collector that is registered already.
func register[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	var there prometheus.AlreadyRegisteredError
	if errors.As(err, &there) {
		if old, ok := there.ExistingCollector.(C); ok {
			*c = old
			return nil
		}
	}
	return err
}

// series are the metrics of one route, looked up once.
type series struct {
	requests *prometheus.CounterVec
	ok       prometheus.Counter
	denied   prometheus.Counter
	duration prometheus.Observer
	inFlight prometheus.Gauge
}

func (m *metrics) series(method, template string) series {
	labels := prometheus.Labels{"route": template, "method": method}
	s := series{
		requests: m.requests.MustCurryWith(labels),
		duration: m.duration.With(labels),
		inFlight: m.inFlight.With(labels),
	}
	if template != unmatched {
		s.ok = s.requests.WithLabelValues("200")
	}
	if template == consumeTemplate {
		s.denied = s.requests.WithLabelValues("429")
	}
	return s
}

func (s *series) observe(status int, took time.Duration, stream bool) {
	switch {
	case status == http.StatusOK && s.ok != nil:
		s.ok.Inc()
	case status == http.StatusTooManyRequests && s.denied != nil:
		s.denied.Inc()
	default:
		s.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	}
	if !stream {
		s.duration.Observe(took.Seconds())
	}
}
