package api

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/rating"
)

// problemOf makes an error a problem document, by the table of errors.go. internal tells that the error is of no known
// kind: then its text is for the log, not for the caller.
func problemOf(err error) (p wire.Problem, internal bool) {
	for _, s := range statuses {
		if errors.Is(err, s.kind) {
			p = blank(s.status)
			p.Type = s.typ
			p.Field, p.Detail = fieldOf(err), detailOf(err)
			return p, false
		}
	}
	p = blank(http.StatusInternalServerError)
	p.Detail = "an internal error; the log tells more under the request id"
	return p, true
}

// blank is the problem that says no more than its status.
func blank(status int) wire.Problem {
	title := http.StatusText(status)
	if status == statusClientGone {
		title = "Client Closed Request"
	}
	return wire.Problem{Type: wire.ProblemBlank, Title: title, Status: status}
}

// fieldOf names the field an error is about, "" when it is about none.
func fieldOf(err error) string {
	var field *FieldError
	if errors.As(err, &field) {
		return field.Field
	}
	name, _, _ := foreignField(err)
	return name
}

// foreignField is the field that a value's own package says is wrong.
func foreignField(err error) (field, reason string, found bool) {
	var policy *ratelimit.FieldError
	if errors.As(err, &policy) {
		return policy.Field, policy.Reason, true
	}
	var price *rating.FieldError
	if errors.As(err, &price) {
		return price.Field, price.Reason, true
	}
	return "", "", false
}

// detailOf is the text of an error. What another package says of a field is told as what we say of one.
func detailOf(err error) string {
	if field, reason, ok := foreignField(err); ok {
		return field + " " + reason
	}
	return err.Error()
}

// within moves an error about a field into the object that holds the field: capacity becomes policy.capacity. An error
// about no field in particular becomes one about the object.
func within(object string, err error) error {
	var field *FieldError
	if !errors.As(err, &field) {
		name, reason, ok := foreignField(err)
		if !ok {
			return err
		}
		field = &FieldError{Field: name, Reason: reason, Kind: ErrInvalid}
	}
	if field.Field != "" {
		object += "." + field.Field
	}
	return &FieldError{Field: object, Reason: field.Reason, Kind: field.Kind}
}

// inCheck is within for the i-th check of a batch. What is wrong with the JSON itself stays about the body.
func inCheck(i int, err error) error {
	if fieldOf(err) == "body" {
		return err
	}
	return within("checks["+strconv.Itoa(i)+"]", err)
}
