package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/rating"
)

// Kinds of error a backend may return, usually wrapped with context by %w. The context is shown to the caller as the
// problem's detail, so it must not tell secrets. An error of none of these kinds becomes a 500 whose text stays in the
// log.
var (
	ErrInvalid      = errors.New("invalid request") // prefer Invalid, which names the field
	ErrForbidden    = errors.New("forbidden")
	ErrQuota        = errors.New("quota of the tenant")
	ErrNotFound     = errors.New("not found")
	ErrConflict     = errors.New("conflict")
	ErrGap          = errors.New("gap")  // a merge page that does not follow what is here
	ErrGone         = errors.New("gone") // was there, and will not come back
	ErrPrecondition = errors.New("precondition failed")
	ErrTooLarge     = errors.New("too large")

	ErrUnprocessable = errors.New("cannot be done") // well-formed, but not as things are
	ErrUnsupported   = errors.New("unsupported media type")
	ErrThrottled     = errors.New("too many requests") // a peer that pushes too much; never a limit's denial
	ErrUnavailable   = errors.New("unavailable")       // this node cannot do it now
)

// statuses is the one table from kind to status. The first kind that fits counts.
var statuses = []struct {
	kind   error
	status int
	typ    string
}{
	{ErrInvalid, http.StatusBadRequest, wire.ProblemBlank},
	{ratelimit.ErrInvalidPolicy, http.StatusBadRequest, wire.ProblemBlank},
	{ratelimit.ErrInvalidPool, http.StatusBadRequest, wire.ProblemBlank},
	{rating.ErrInvalidPrice, http.StatusBadRequest, wire.ProblemBlank},
	{ErrUnauthorized, http.StatusUnauthorized, wire.ProblemBlank},
	{ErrForbidden, http.StatusForbidden, wire.ProblemBlank},
	{ErrNotFound, http.StatusNotFound, wire.ProblemBlank},
	{errMethod, http.StatusMethodNotAllowed, wire.ProblemBlank},
	{ErrConflict, http.StatusConflict, wire.ProblemBlank},
	{ErrGap, http.StatusConflict, wire.ProblemBlank},
	{ErrGone, http.StatusGone, wire.ProblemBlank},
	{ErrPrecondition, http.StatusPreconditionFailed, wire.ProblemBlank},
	{ErrTooLarge, http.StatusRequestEntityTooLarge, wire.ProblemBlank},
	{ErrUnprocessable, http.StatusUnprocessableEntity, wire.ProblemBlank},
	{ErrUnsupported, http.StatusUnsupportedMediaType, wire.ProblemBlank},
	{ErrQuota, http.StatusTooManyRequests, wire.ProblemQuotaExceeded},
	{ErrThrottled, http.StatusTooManyRequests, wire.ProblemBlank},
	{ErrUnavailable, http.StatusServiceUnavailable, wire.ProblemReducedCapacity},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, wire.ProblemReducedCapacity},
	{context.Canceled, statusClientGone, wire.ProblemBlank},
}

// errMethod is for the router alone: the path exists, the method does not.
var errMethod = errors.New("method not allowed")

// statusClientGone is what the metrics show of a request whose client went away before the answer; nobody receives it.
const statusClientGone = 499

// FieldError names what in a request was wrong. Field is a path into the body (checks[3].tokens), or the name of a
// query parameter, a header or a path parameter.
type FieldError struct {
	Field  string
	Reason string
	Kind   error // ErrInvalid unless said otherwise
}

// Invalid is a FieldError of kind ErrInvalid.
func Invalid(field, format string, args ...any) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...), Kind: ErrInvalid}
}

// InvalidCheck is Invalid for a field of the i-th check of a batch.
func InvalidCheck(i int, field, format string, args ...any) error {
	return Invalid(fmt.Sprintf("checks[%d].%s", i, field), format, args...)
}

func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// Unwrap returns the kind.
func (e *FieldError) Unwrap() error { return e.Kind }

// unknown tells that a request names something that is not known: a field, a parameter. The name is repeated, but not
// at any length; without one the error is about what holds it.
func unknown(holder, name, kind string) error {
	const longest = 64
	switch {
	case name == "":
		return Invalid(holder, "has a %s without a name", kind)
	case len(name) > longest:
		name = strings.ToValidUTF8(name[:longest], "") + "…"
	}
	return Invalid(name, "is not a known %s", kind)
}
