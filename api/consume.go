package api

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/openclaw/clawd/api/wire"
)

const consumeTemplate = "/v1/agents/{agent}/consume"

// consumer answers the hot route. answer is the whole of it on bytes: decode, decide, encode. It knows nothing of
// net/http's requests, so that the route can be served in front of the router too, with the same behaviour.
type consumer struct {
	limiter Limiter
	legacy  bool
}

// consumeCall is one request of the hot route and what its answer is made of. Calls are pooled; a call is one
// request's at a time.
type consumeCall struct {
	// The request. Agent is decoded and valid, query is as it was sent. Behind net/http the body is read into buf; in
	// front of it, all three point into the connection's buffer.
	tenant string
	agent  string
	query  string
	body   []byte
	buf    bytes.Buffer

	// The answer.
	status      int
	contentType []string
	decision    Decision
	out         []byte
	fields      rateFields
}

var consumeCalls = sync.Pool{New: func() any { return new(consumeCall) }}

// Content types as header values, shared by all answers.
var (
	typeJSON    = []string{wire.ContentTypeJSON}
	typeProblem = []string{wire.ContentTypeProblem}
)

// answer fills the answer of call. An error means that nothing was taken.
func (c *consumer) answer(ctx context.Context, call *consumeCall) error {
	check := Check{Tenant: call.tenant, Agent: call.agent, Tokens: 1}
	params, err := parseConsumeQuery(call.query)
	if err != nil {
		return err
	}
	if len(call.body) > 0 {
		tokens, inline, err := scanConsume(call.body)
		switch {
		case err != nil:
			return err
		case tokens > 0 && params.tokens > 0:
			return Invalid("tokens", "is given in the query and in the body")
		case tokens > 0:
			check.Tokens = tokens
		}
		check.Inline = inline
	}
	if params.tokens > 0 {
		check.Tokens = params.tokens
	}
	check.Retry = params.attempt > 1
	if call.decision, err = c.limiter.Consume(ctx, check); err != nil {
		return err
	}
	call.status, call.contentType = http.StatusOK, typeJSON
	if !call.decision.Allowed {
		call.status = params.denyStatus
	}
	if call.status == http.StatusOK {
		call.out = appendDecision(call.out[:0], check.Agent, check.Tokens, &call.decision)
		return nil
	}
	call.contentType = typeProblem
	call.out = appendDenial(call.out[:0], call.status, check.Agent, check.Tokens, &call.decision)
	return nil
}

// serve is answer behind net/http.
func (c *consumer) serve(w http.ResponseWriter, r *http.Request) error {
	agent, err := pathName(r, "agent", MaxNameBytes)
	if err != nil {
		return err
	}
	call := consumeCalls.Get().(*consumeCall)
	defer call.release()
	call.tenant, call.agent, call.query = tenantOf(w), agent, r.URL.RawQuery
	if err := readBody(w, r, maxConsumeBody, &call.buf); err != nil {
		return err
	}
	if call.body = call.buf.Bytes(); len(call.body) > 0 {
		if err := wantJSON(r.Header); err != nil {
			return err
		}
	}
	if err := c.answer(r.Context(), call); err != nil {
		return err
	}
	h := w.Header()
	h["Content-Type"] = call.contentType
	call.fields.set(h, &call.decision, c.legacy)
	w.WriteHeader(call.status)
	_, _ = w.Write(call.out) // the client may be gone; the decision stands
	return nil
}

func (call *consumeCall) release() {
	call.buf.Reset()
	call.tenant, call.agent, call.query, call.body, call.contentType = "", "", "", nil, nil
	consumeCalls.Put(call)
}

// consumeParams are the query parameters of consume and batch.
type consumeParams struct {
	tokens     int64 // 0 = not given
	denyStatus int
	attempt    int64
}

// maxAttempt bounds ?attempt=.
const maxAttempt = 1_000_000

// parseConsumeQuery reads ?tokens=, ?deny_status= and ?attempt=. It goes over the query as it is, since making a map of it would
// cost more than the decision.
func parseConsumeQuery(q string) (p consumeParams, err error) {
	p.denyStatus = http.StatusTooManyRequests
	var seenTokens, seenStatus bool
	for q != "" {
		var pair string
		pair, q, _ = strings.Cut(q, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if name, err = unescape(name); err != nil {
			return p, err
		}
		if value, err = unescape(value); err != nil {
			return p, err
		}
		switch name {
		case "tokens":
			if seenTokens {
				return p, twice("tokens")
			}
			seenTokens = true
			if p.tokens, err = parseInt("tokens", value, 1, MaxTokens); err != nil {
				return p, tokensOutOfRange()
			}
		case "deny_status":
			if seenStatus {
				return p, twice("deny_status")
			}
			seenStatus = true
			if p.denyStatus, err = parseDenyStatus(value); err != nil {
				return p, err
			}
		case "attempt":
			if p.attempt > 0 {
				return p, twice("attempt")
			}
			if p.attempt, err = parseInt("attempt", value, 1, maxAttempt); err != nil {
				return p, err
			}
		default:
			return p, unknown("query", name, "parameter")
		}
	}
	return p, nil
}

// parseDenyStatus reads the status that gateways want for a denial: some take any answer but 2xx, 401 and 403 for a
// fault of ours.
func parseDenyStatus(s string) (int, error) {
	switch s {
	case "200":
		return http.StatusOK, nil
	case "403":
		return http.StatusForbidden, nil
	case "429":
		return http.StatusTooManyRequests, nil
	}
	return 0, Invalid("deny_status", "must be 200, 403 or 429")
}

func unescape(s string) (string, error) {
	if !strings.ContainsAny(s, "%+") {
		return s, nil
	}
	t, err := url.QueryUnescape(s)
	if err != nil {
		return "", Invalid("query", "is not percent-encoded properly")
	}
	return t, nil
}
