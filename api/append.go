package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/openclaw/clawd/api/wire"
)

// The append… functions write the JSON of the hot routes: the same values as encoding/json makes of the wire types
// (a fuzz test says so), without reflection.

// appendDecision appends a wire.Decision.
func appendDecision(b []byte, agent string, tokens int64, d *Decision) []byte {
	b = append(b, '{')
	b = appendDecisionMembers(b, agent, tokens, d)
	return append(b, '}')
}

func appendDecisionMembers(b []byte, agent string, tokens int64, d *Decision) []byte {
	b = append(b, `"allowed":`...)
	b = strconv.AppendBool(b, d.Allowed)
	b = append(b, `,"agent":`...)
	b = appendString(b, agent)
	b = append(b, `,"tokens":`...)
	b = strconv.AppendInt(b, tokens, 10)
	b = append(b, `,"limit":`...)
	b = strconv.AppendInt(b, limitOf(d), 10)
	b = append(b, `,"remaining":`...)
	b = strconv.AppendInt(b, remainingOf(d), 10)
	b = append(b, `,"retry_after_ms":`...)
	b = strconv.AppendInt(b, retryAfterMS(d), 10)
	b = append(b, `,"reset_ms":`...)
	return strconv.AppendInt(b, millis(d.Reset), 10)
}

// appendDenial appends a wire.Denial.
func appendDenial(b []byte, status int, agent string, tokens int64, d *Decision) []byte {
	b = appendQuotaProblem(b, status, tokens, d)
	b = append(b, ',')
	b = appendDecisionMembers(b, agent, tokens, d)
	return append(b, '}')
}

// appendQuotaProblem appends the members of a problem about a denial, with the opening brace.
func appendQuotaProblem(b []byte, status int, tokens int64, d *Decision) []byte {
	b = append(b, `{"type":"`+wire.ProblemQuotaExceeded+`","title":"Quota exceeded","status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"detail":"`...)
	b = strconv.AppendInt(b, tokens, 10)
	b = append(b, ` tokens asked, `...)
	b = strconv.AppendInt(b, remainingOf(d), 10)
	b = append(b, ` of `...)
	b = strconv.AppendInt(b, limitOf(d), 10)
	b = append(b, ` left","violated-policies":[`...)
	b = appendString(b, policyName(d))
	return append(b, ']')
}

// appendBatch appends a wire.BatchResponse, or with a status other than 200 a wire.BatchDenial.
func appendBatch(b []byte, status int, checks []Check, decisions []Decision, binding int) []byte {
	if status == http.StatusOK {
		b = append(b, '{')
	} else {
		b = appendQuotaProblem(b, status, checks[binding].Tokens, &decisions[binding])
		b = append(b, ',')
	}
	b = append(b, `"allowed":`...)
	b = strconv.AppendBool(b, binding < 0)
	b = append(b, `,"results":[`...)
	for i := range checks {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendDecision(b, checks[i].Agent, checks[i].Tokens, &decisions[i])
	}
	b = append(b, ']')
	if binding >= 0 {
		b = append(b, `,"binding":`...)
		b = strconv.AppendInt(b, int64(binding), 10)
	}
	return append(b, '}')
}

// appendString appends a JSON string. Names have no control characters and are UTF-8, so that nearly all of them go
// through as they are; whatever does not goes to the library.
func appendString(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // a string always has a JSON form
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
