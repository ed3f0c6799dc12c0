package api

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
)

// scanner reads the JSON of the hot routes in one pass and without allocating, except for escaped strings and for
// what is wrong. It takes a subset of what encoding/json takes with unknown fields disallowed, and gives the same
// values (a fuzz test says so); it refuses what encoding/json lets pass: names in another case, and names given twice.
type scanner struct {
	b []byte
	i int
}

// scanConsume reads the body of a consume request. tokens is 0 when the body does not say.
func scanConsume(body []byte) (tokens int64, inline Inline, err error) {
	s := scanner{b: body}
	err = s.object("body", func(name []byte) (err error) {
		switch string(name) {
		case "tokens":
			if tokens != 0 {
				return twice("tokens")
			}
			tokens, err = s.tokens()
		case "policy":
			if inline.Given {
				return twice("policy")
			}
			inline, err = s.inline()
		default:
			return unknown("body", string(name), "field")
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	return tokens, inline, err
}

// scanBatch reads the body of a batch, appending to checks.
func scanBatch(body []byte, checks []Check) (out []Check, atomic bool, err error) {
	s := scanner{b: body}
	var seenAtomic, seenChecks bool
	err = s.object("body", func(name []byte) (err error) {
		switch string(name) {
		case "atomic":
			if seenAtomic {
				return twice("atomic")
			}
			seenAtomic = true
			atomic, err = s.boolean("atomic")
		case "checks":
			if seenChecks {
				return twice("checks")
			}
			seenChecks = true
			checks, err = s.checks(checks)
		default:
			return unknown("body", string(name), "field")
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	return checks, atomic, err
}

// checks reads the array of a batch.
func (s *scanner) checks(checks []Check) ([]Check, error) {
	if s.null() {
		return checks, nil
	}
	if !s.take('[') {
		return checks, Invalid("checks", "must be an array")
	}
	if s.take(']') {
		return checks, nil
	}
	for i := 0; ; i++ {
		if i == wire.MaxBatchChecks {
			return checks, Invalid("checks", "has more than %d elements", wire.MaxBatchChecks)
		}
		checks = append(checks, Check{Tenant: DefaultTenant})
		if c := &checks[len(checks)-1]; !s.plainCheck(c) {
			if err := s.check(c); err != nil {
				return checks, inCheck(i, err)
			}
		}
		if s.take(',') {
			continue
		}
		if s.take(']') {
			return checks, nil
		}
		return checks, s.malformed()
	}
}

// plainCheck reads an element of a batch in the form that programs write,
//
//	{"agent":"name","tokens":1}
//
// without spaces, escapes or a policy. It leaves any other for check, with nothing read.
func (s *scanner) plainCheck(c *Check) bool {
	const before, between = `{"agent":"`, `","tokens":`
	b := s.b[s.i:]
	if len(b) < len(before) || string(b[:len(before)]) != before {
		return false
	}
	i := len(before)
	for i < len(b) && plainChar[b[i]] {
		i++
	}
	name := b[len(before):i]
	if b = b[i:]; len(name) == 0 || len(b) < len(between) || string(b[:len(between)]) != between {
		return false
	}
	b = b[len(between):]
	digits := 0
	var n int64
	for digits < len(b) && digits < 18 && b[digits]-'0' <= 9 {
		n = n*10 + int64(b[digits]-'0')
		digits++
	}
	if n < 1 || n > MaxTokens || b[0] == '0' || digits == len(b) || b[digits] != '}' {
		return false
	}
	c.Agent, c.Tokens = text(name), n
	s.i = len(s.b) - len(b) + digits + 1
	return true
}

// plainChar are the characters that stand for themselves in a JSON string and need no look at their neighbours.
var plainChar = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// check reads one element of a batch. Tokens is 0 when the element does not say.
func (s *scanner) check(c *Check) error {
	return s.object("", func(name []byte) (err error) {
		switch string(name) {
		case "agent":
			if c.Agent != "" {
				return twice("agent")
			}
			c.Agent, err = s.text("agent")
		case "tokens":
			if c.Tokens != 0 {
				return twice("tokens")
			}
			c.Tokens, err = s.tokens()
		case "policy":
			if c.Inline.Given {
				return twice("policy")
			}
			c.Inline, err = s.inline()
		default:
			return unknown("body", string(name), "field")
		}
		return err
	})
}

// tokens reads the tokens of a call: null is absent, anything else must be in range.
func (s *scanner) tokens() (int64, error) {
	if s.null() {
		return 0, nil
	}
	n, err := s.integer("tokens")
	if err == nil && (n < 1 || n > MaxTokens) {
		err = tokensOutOfRange()
	}
	return n, err
}

func tokensOutOfRange() error {
	return Invalid("tokens", "must be a whole number from 1 to %d", MaxTokens)
}

// inline reads and validates an inline policy.
func (s *scanner) inline() (in Inline, err error) {
	if s.null() {
		return Inline{}, nil
	}
	const capacity, rate, interval = 1, 2, 4
	seen := 0
	first := func(member int) bool { ok := seen&member == 0; seen |= member; return ok }
	p := &in.Policy
	err = s.object("policy", func(name []byte) (err error) {
		switch string(name) {
		case "capacity":
			if !first(capacity) {
				return twice("policy.capacity")
			}
			p.Capacity, err = s.integer("policy.capacity")
		case "refill_rate":
			if !first(rate) {
				return twice("policy.refill_rate")
			}
			p.RefillRate, err = s.decimal("policy.refill_rate")
		case "interval_seconds":
			if !first(interval) {
				return twice("policy.interval_seconds")
			}
			p.IntervalSeconds, err = s.decimal("policy.interval_seconds")
		default:
			return within("policy", unknown("", string(name), "field"))
		}
		return err
	})
	if err != nil {
		return Inline{}, err
	}
	in.Given = true
	return in, checkInline(in.Policy)
}

// checkInline validates a policy a caller sent along.
func checkInline(p wire.InlinePolicy) error {
	full := ratelimit.Policy{Capacity: p.Capacity, RefillRate: p.RefillRate, IntervalSeconds: p.IntervalSeconds}
	if err := full.Validate(); err != nil {
		return within("policy", err)
	}
	return nil
}

func twice(field string) error { return Invalid(field, "is given twice") }

// space skips white space.
func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// take skips white space, then c if it is there.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// word skips white space, then the literal if it is there.
func (s *scanner) word(literal string) bool {
	s.space()
	if end := s.i + len(literal); end <= len(s.b) && string(s.b[s.i:end]) == literal {
		s.i = end
		return true
	}
	return false
}

func (s *scanner) null() bool { return s.word("null") }

func (s *scanner) boolean(field string) (bool, error) {
	switch {
	case s.word("true"):
		return true, nil
	case s.word("false"), s.null():
		return false, nil
	}
	return false, Invalid(field, "must be true or false")
}

// end asks for nothing but white space.
func (s *scanner) end() error {
	if s.space(); s.i != len(s.b) {
		return Invalid("body", "has something after its JSON value")
	}
	return nil
}

// malformed tells where the input stops being JSON.
func (s *scanner) malformed() error {
	if s.i >= len(s.b) {
		return Invalid("body", "is not JSON: it ends too early")
	}
	return Invalid("body", "is not JSON: unexpected %q at byte %d", s.b[s.i], s.i+1)
}

// object reads an object, calling member with each name when the scanner stands before its value.
func (s *scanner) object(field string, member func(name []byte) error) error {
	if !s.take('{') {
		return Invalid(field, "must be a JSON object")
	}
	if s.take('}') {
		return nil
	}
	for {
		s.space()
		name, err := s.quoted()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.malformed()
		}
		if err := member(name); err != nil {
			return err
		}
		if s.take(',') {
			continue
		}
		if s.take('}') {
			return nil
		}
		return s.malformed()
	}
}

// text reads a string. It lives as long as the scanner's input, see Check. null is the empty string.
func (s *scanner) text(field string) (string, error) {
	if s.null() {
		return "", nil
	}
	if s.space(); s.i >= len(s.b) || s.b[s.i] != '"' {
		return "", Invalid(field, "must be a string")
	}
	t, err := s.quoted()
	return text(t), err
}

// quoted reads a string and returns its content: part of the input when it has no escapes.
func (s *scanner) quoted() ([]byte, error) {
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return nil, s.malformed()
	}
	start := s.i + 1
	escaped, ascii := false, true
	for i := start; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			raw := s.b[start:i]
			if !ascii && !utf8.Valid(raw) {
				return nil, Invalid("body", "is not valid UTF-8")
			}
			if !escaped {
				return raw, nil
			}
			return s.unescape(start-1, i+1)
		case c == '\\':
			escaped = true
			i++
		case c < 0x20:
			s.i = i
			return nil, s.malformed()
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.i = len(s.b)
	return nil, s.malformed()
}

// unescape decodes the quoted string at [from,to). Escapes are rare in names, so the library may have them.
func (s *scanner) unescape(from, to int) ([]byte, error) {
	var t string
	if err := json.Unmarshal(s.b[from:to], &t); err != nil {
		return nil, Invalid("body", "is not JSON: a string at byte %d has a bad escape", from+1)
	}
	return []byte(t), nil
}

// number reads a JSON number and returns its text.
func (s *scanner) number(field string) (text []byte, whole bool, err error) {
	s.space()
	start := s.i
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	switch {
	case s.i < len(s.b) && s.b[s.i] == '0':
		s.i++
	case s.digits():
	case s.i == start:
		return nil, false, Invalid(field, "must be a number")
	default:
		return nil, false, s.malformed()
	}
	whole = true
	if s.i < len(s.b) && s.b[s.i] == '.' {
		whole = false
		s.i++
		if !s.digits() {
			return nil, false, s.malformed()
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		whole = false
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return nil, false, s.malformed()
		}
	}
	return s.b[start:s.i], whole, nil
}

// digits skips digits and tells whether there was one.
func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	return s.i > start
}

// integer reads a whole number.
func (s *scanner) integer(field string) (int64, error) {
	text, whole, err := s.number(field)
	if err != nil {
		return 0, err
	}
	if !whole {
		return 0, Invalid(field, "must be a whole number, without a point or an exponent")
	}
	n, ok := atoi(text)
	if !ok {
		return 0, Invalid(field, "is out of range")
	}
	return n, nil
}

// atoi is strconv.ParseInt for the text of a JSON integer of at most 18 digits, without making a string of it. No
// integer of the contract is longer.
func atoi(text []byte) (n int64, ok bool) {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	if len(text) > 18 {
		return 0, false
	}
	for _, c := range text {
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// decimal reads a number with up to six digits after the point.
func (s *scanner) decimal(field string) (d ratelimit.Decimal, err error) {
	text, _, err := s.number(field)
	if err != nil {
		return d, err
	}
	if d, err = ratelimit.ParseDecimal(string(text)); err != nil {
		return d, Invalid(field, notADecimal)
	}
	return d, nil
}
