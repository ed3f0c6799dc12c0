package client

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// Kinds of errors, to be tested with errors.Is. An *Error carries the status
// and the problem document behind the kind.
var (
	// ErrDenied: a limit said no. Nothing was consumed.
	ErrDenied = errors.New("denied by the rate limit")
	// ErrInvalid: the node understood the request and refuses it (400, 405,
	// 413, 415, 422); sending it again changes nothing.
	ErrInvalid = errors.New("invalid request")
	// ErrUnauthorized: no valid API key (401).
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden: the key's role does not allow the call (403).
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound: no such policy, key, member or snapshot (404).
	ErrNotFound = errors.New("not found")
	// ErrConflict: the state of the thing forbids the call (409).
	ErrConflict = errors.New("conflict")
	// ErrPrecondition: If-Match or If-None-Match did not hold (412).
	ErrPrecondition = errors.New("precondition failed")
	// ErrUnavailable: this node cannot answer now (502, 503, 504); another may.
	ErrUnavailable = errors.New("node unavailable")
	// ErrUnreachable: no connection could be made, so the node saw nothing.
	ErrUnreachable = errors.New("node unreachable")
)

// Error is an answer of the node that is not a success.
type Error struct {
	Method string // HTTP method of the call
	Path   string // path of the call, without host and query
	Status int    // HTTP status
	// Problem is the node's own explanation. Its Title and Detail are empty
	// when something other than clawd answered, for example a gateway.
	Problem wire.Problem
	// RetryAfter is how long the node asks callers to wait; 0 = not stated.
	RetryAfter time.Duration
}

// Error says what the node said, in one sentence.
func (e *Error) Error() string {
	switch {
	case e.Problem.Detail != "":
		return e.Problem.Detail
	case e.Problem.Title != "":
		return e.Problem.Title
	default:
		return fmt.Sprintf("%s %s answered %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	}
}

// Is maps the status to its kind, so that errors.Is(err, ErrNotFound) works.
func (e *Error) Is(target error) bool {
	return kindOf(e.Status) == target
}

func kindOf(status int) error {
	switch status {
	case http.StatusTooManyRequests:
		return ErrDenied
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	case http.StatusPreconditionFailed:
		return ErrPrecondition
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return ErrUnavailable
	}
	if status >= 400 && status < 500 {
		return ErrInvalid
	}
	return nil
}
