package api

import (
	"math/bits"
	"net/http"
	"strconv"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

// The RateLimit fields of draft-ietf-httpapi-ratelimit-headers-11, RFC 9651 lists of one String item, appended by hand
// since every decision carries them; a test parses them with a structured-fields library.
//
//	RateLimit-Policy: "default";q=1000;w=3600;clawd-unit="llm-tokens"
//	RateLimit: "default";r=995;t=3582
//
// q is the capacity and w the time in which it refills. t is the effective window: the time in which r tokens refill,
// so that r/t never exceeds the refill rate, and a full bucket shows r=q, t=w; with r=0 it is the time until a token
// can be had. The draft's unit without qu is requests, and no unit of tokens is registered, hence the vendor parameter.
//
// On a denial Retry-After is the time until the same question can pass. When more was asked for than is left, that can
// be sooner than t, which the draft advises against: a client with 50 of 100 tokens that asked for 51 would wait fifty
// times too long for the one it lacks. Neither carries jitter: buckets refill continuously and each from its own past,
// so there is no instant at which many clients become eligible together.

// appendPolicyField appends the value of RateLimit-Policy.
func appendPolicyField(b []byte, d *Decision) []byte {
	b = appendSFString(b, policyName(d))
	b = append(b, ";q="...)
	b = strconv.AppendInt(b, limitOf(d), 10)
	b = append(b, ";w="...)
	b = strconv.AppendInt(b, seconds(d.Window), 10)
	return append(b, `;clawd-unit="llm-tokens"`...)
}

// appendRateField appends the value of RateLimit.
func appendRateField(b []byte, d *Decision) []byte {
	b = appendSFString(b, policyName(d))
	b = append(b, ";r="...)
	b = strconv.AppendInt(b, remainingOf(d), 10)
	b = append(b, ";t="...)
	return strconv.AppendInt(b, seconds(effectiveWindow(d)), 10)
}

// effectiveWindow is t. Window is the time for the whole capacity, rounded up to a nanosecond, so its share for r
// tokens is rounded down, lest whole seconds become one more.
func effectiveWindow(d *Decision) time.Duration {
	if r := d.Remaining - d.Remaining%ratelimit.Token; r > 0 {
		return share(d.Window, r, d.Capacity)
	}
	if !d.Allowed {
		return d.RetryAfter
	}
	return share(d.Window, ratelimit.Token-d.Remaining, d.Capacity)
}

// share is d·part/whole, for 0 ≤ part ≤ whole.
func share(d time.Duration, part, whole int64) time.Duration {
	if part >= whole {
		return d
	}
	hi, lo := bits.Mul64(uint64(d), uint64(part))
	n, _ := bits.Div64(hi, lo, uint64(whole)) // hi < whole, since part < whole
	return time.Duration(n)
}

// policyName is what the policy is called in headers and problems.
func policyName(d *Decision) string {
	if d.Policy == "" {
		return ratelimit.SourceInline
	}
	return d.Policy
}

// limitOf and remainingOf are whole tokens, rounded down.
func limitOf(d *Decision) int64     { return d.Capacity / ratelimit.Token }
func remainingOf(d *Decision) int64 { return d.Remaining / ratelimit.Token }

// appendSFString appends an RFC 9651 String. Those hold printable ASCII only; other bytes of a policy's name are
// percent-encoded, as in its URL.
func appendSFString(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < 0x20 || c >= 0x7f:
			b = append(b, '%', hex[c>>4], hex[c&15])
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// seconds rounds up to whole seconds, at least 1.
func seconds(d time.Duration) int64 { return max(ceilDiv(d, time.Second), 1) }

// millis rounds up to whole milliseconds.
func millis(d time.Duration) int64 { return ceilDiv(d, time.Millisecond) }

func ceilDiv(d, unit time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d-1)/unit) + 1
}

// rateFields writes the fields of decisions into headers. It makes one string of all values and remembers the last
// policy's, which on most nodes is also the next one's.
type rateFields struct {
	buf        []byte
	lastPolicy string
}

// set writes the fields of d, and on a denial Retry-After. Headers are set by their canonical keys directly: Set would
// allocate one slice each.
func (f *rateFields) set(h http.Header, d *Decision, legacy bool) {
	b := appendPolicyField(f.buf[:0], d)
	if string(b) != f.lastPolicy {
		f.lastPolicy = string(b)
	}
	b = appendRateField(b[:0], d)
	rate := len(b)
	if !d.Allowed {
		b = strconv.AppendInt(b, seconds(d.RetryAfter), 10)
	}
	f.buf = b
	text := string(b)
	values := make([]string, 0, 3)
	values = append(values, f.lastPolicy, text[:rate], text[rate:])
	h["Ratelimit-Policy"] = values[0:1:1]
	h["Ratelimit"] = values[1:2:2]
	if !d.Allowed {
		h["Retry-After"] = values[2:3:3]
	}
	if legacy {
		setLegacy(h, d)
	}
}

// setLegacy writes what clients of before the draft read. Reset is in seconds from now.
func setLegacy(h http.Header, d *Decision) {
	h.Set("X-RateLimit-Limit", strconv.FormatInt(limitOf(d), 10))
	h.Set("X-RateLimit-Remaining", strconv.FormatInt(remainingOf(d), 10))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(ceilDiv(d.Reset, time.Second), 10))
	if !d.Allowed {
		h.Set("Retry-After-Ms", strconv.FormatInt(retryAfterMS(d), 10))
	}
}

// appendLegacy is setLegacy for the front.
func appendLegacy(b []byte, d *Decision) []byte {
	b = append(b, "\r\nX-Ratelimit-Limit: "...)
	b = strconv.AppendInt(b, limitOf(d), 10)
	b = append(b, "\r\nX-Ratelimit-Remaining: "...)
	b = strconv.AppendInt(b, remainingOf(d), 10)
	b = append(b, "\r\nX-Ratelimit-Reset: "...)
	b = strconv.AppendInt(b, ceilDiv(d.Reset, time.Second), 10)
	if !d.Allowed {
		b = append(b, "\r\nRetry-After-Ms: "...)
		b = strconv.AppendInt(b, retryAfterMS(d), 10)
	}
	return b
}

// retryAfterMS is the retry_after_ms of a decision: 0 when allowed, and in a denied atomic batch for the checks that
// would have passed alone.
func retryAfterMS(d *Decision) int64 {
	if d.Allowed {
		return 0
	}
	return millis(d.RetryAfter)
}
