package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/openclaw/clawd/access"
)

// Gate tells who makes a request, from the credentials that came with it.
type Gate interface {
	// Identify is asked for every request, and must answer in well under a microsecond. local is whether the caller is
	// on this machine; now is unix ms.
	Identify(token []byte, local bool, now int64) (*access.Caller, access.Verdict)
}

// ErrUnauthorized is for callers without a valid key. Its text is the same for none, a wrong, an expired and a revoked
// one.
var ErrUnauthorized = errors.New("a valid API key is needed: Authorization: Bearer ock_…")

var (
	errNoKeyYet = fmt.Errorf("%w; none exists yet, make the first on the node's own machine: clawd key create --role admin", ErrUnauthorized)
	errUnsure   = fmt.Errorf("%w: this node is out of contact, so that it may not know of a revocation (strict-auth)", ErrUnavailable)
	errLoading  = fmt.Errorf("%w: this node is still loading the cluster's keys", ErrUnavailable)
	errCross    = fmt.Errorf("%w: a page of another origin may not do this as long as there are no API keys", ErrForbidden)
)

// QuotaError refuses what exceeds a quota of the caller's tenant.
type QuotaError struct {
	Tenant string
	Quota  string        // as the tenant's members are called: requests_per_second, …
	Wait   time.Duration // until the same request might pass, 0 = unknown
}

func (e *QuotaError) Error() string {
	return "tenant " + strconv.Quote(e.Tenant) + " has reached its quota of " + e.Quota
}

// Unwrap returns the kind.
func (e *QuotaError) Unwrap() error { return ErrQuota }

// admit finds out who calls and whether they may, before anything of the request is looked at. Without a gate
// everybody is the operator of the default tenant.
func (s *server) admit(rec *recorder, r *http.Request, needs access.Right) error {
	if s.Gate == nil || needs == access.Open {
		return nil
	}
	caller, verdict := s.Gate.Identify(tokenOf(r), isLocal(r.RemoteAddr), s.Now().UnixMilli())
	if err := refusalOf(verdict); err != nil {
		return err
	}
	rec.caller = caller
	if !caller.May(needs) {
		return lacks(caller)
	}
	if caller.Key == "" && isCrossOrigin(r) {
		return errCross
	}
	rec.mono = mono(s.Now())
	return meter(caller, rec.mono, 1)
}

// Admits tells whether a request may use what needs a right, for handlers that are not of this package.
func Admits(g Gate, r *http.Request, needs access.Right, now time.Time) error {
	caller, verdict := g.Identify(tokenOf(r), isLocal(r.RemoteAddr), now.UnixMilli())
	if err := refusalOf(verdict); err != nil {
		return err
	}
	if !caller.May(needs) {
		return lacks(caller)
	}
	return nil
}

// lacks is what a caller without a right is told.
func lacks(caller *access.Caller) error {
	if caller.Waits() {
		return errLoading
	}
	return fmt.Errorf("%w: role %s may not do this", ErrForbidden, caller.Role)
}

func refusalOf(v access.Verdict) error {
	switch v {
	case access.Admitted:
		return nil
	case access.Unsure:
		return errUnsure
	case access.Loading:
		return errLoading
	case access.Closed:
		return errNoKeyYet
	}
	return ErrUnauthorized
}

// meter counts requests against the tenant's rate.
func meter(caller *access.Caller, mono, n int64) error {
	if wait := caller.Tenant.Take(mono, n); wait > 0 {
		return &QuotaError{Tenant: caller.Tenant.Name(), Quota: "requests_per_second", Wait: wait}
	}
	return nil
}

// meterMore counts what is asked in one request beyond the first.
func meterMore(caller *access.Caller, mono int64, n int) error {
	if caller == nil || n <= 0 {
		return nil
	}
	return meter(caller, mono, int64(n))
}

// monoOf is when the request that is answered by w was admitted.
func monoOf(w http.ResponseWriter) int64 {
	if rec, ok := w.(*recorder); ok {
		return rec.mono
	}
	return 0
}

// mono is a time as ns of a clock that never goes back.
func mono(now time.Time) int64 { return now.Sub(epoch).Nanoseconds() }

var epoch = time.Now()

// tokenOf is the bearer token of a request. Two Authorization fields are none: each reader of the request might choose
// another.
func tokenOf(r *http.Request) []byte {
	if v := r.Header["Authorization"]; len(v) == 1 {
		return access.Bearer([]byte(v[0]))
	}
	return nil
}

// isLocal tells whether a connection comes from this machine.
func isLocal(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// isCrossOrigin tells whether a browser sends a change on behalf of a page from elsewhere. A node without keys trusts
// its own machine, but not every page that is open there.
func isCrossOrigin(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// callerOf is who makes the request that is answered by w; nil without a gate.
func callerOf(w http.ResponseWriter) *access.Caller {
	if rec, ok := w.(*recorder); ok {
		return rec.caller
	}
	return nil
}

// tenantOf is the caller's tenant: the only one whose things a handler may touch.
func tenantOf(w http.ResponseWriter) string { return tenantName(callerOf(w)) }

func tenantName(c *access.Caller) string {
	if c != nil {
		return c.Tenant.Name()
	}
	return DefaultTenant
}
