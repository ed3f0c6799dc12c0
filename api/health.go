package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/openclaw/clawd/api/wire"
)

// health answers probes. Their body is one shape whether the node is well or not, 200 or 503.
type health struct{ of Health }

// live answers /livez and /healthz: 503 means that only a restart helps.
func (h health) live(w http.ResponseWriter, r *http.Request) error {
	q, verbose, err := probe(r)
	if err != nil {
		return err
	}
	check := wire.HealthCheck{Name: "process", Status: wire.HealthOK}
	if err := h.of.Live(); err != nil {
		check.Status, check.Detail = wire.HealthFailed, err.Error()
	}
	writeHealth(w, without([]wire.HealthCheck{check}, q["exclude"]), verbose)
	return nil
}

// ready answers /readyz: 503 means that traffic should go elsewhere. A degraded node is ready.
func (h health) ready(w http.ResponseWriter, r *http.Request) error {
	q, verbose, err := probe(r)
	if err != nil {
		return err
	}
	writeHealth(w, without(h.of.Ready(), q["exclude"]), verbose)
	return nil
}

// probe reads ?verbose and ?exclude=name, which may be repeated or list names with commas.
func probe(r *http.Request) (q url.Values, verbose bool, err error) {
	if r.URL.RawQuery == "" {
		return nil, false, nil
	}
	if q, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return nil, false, Invalid("query", "is not percent-encoded properly")
	}
	for name := range q {
		if name != "verbose" && name != "exclude" {
			return nil, false, unknown("query", name, "parameter")
		}
	}
	verbose, err = queryFlag(q, "verbose")
	return q, verbose, err
}

// without leaves out the excluded checks. Names that are none are ignored, so that a probe outlives a check.
func without(checks []wire.HealthCheck, excluded []string) []wire.HealthCheck {
	if len(excluded) == 0 {
		return checks
	}
	var names []string
	for _, e := range excluded {
		names = append(names, strings.Split(e, ",")...)
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c wire.HealthCheck) bool { return slices.Contains(names, c.Name) })
}

// writeHealth writes the worst status. Without verbose it shows the checks that are not well, and only when the node is
// not: they are the reasons.
func writeHealth(w http.ResponseWriter, checks []wire.HealthCheck, verbose bool) {
	answer := wire.Health{Status: wire.HealthOK}
	for _, c := range checks {
		if c.Status == wire.HealthFailed || c.Status == wire.HealthDegraded && answer.Status == wire.HealthOK {
			answer.Status = c.Status
		}
	}
	status := http.StatusOK
	if answer.Status == wire.HealthFailed {
		status = http.StatusServiceUnavailable
	}
	switch {
	case verbose:
		answer.Checks = checks
	case status != http.StatusOK:
		answer.Checks = slices.DeleteFunc(slices.Clone(checks), func(c wire.HealthCheck) bool { return c.Status == wire.HealthOK })
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, status, answer)
}
