package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/openclaw/clawd/client"
)

// policyValue is a policy as a flag writes it: "1000/1h" (capacity, refilled
// once an hour), or members of the JSON form as key=value, or both, the later
// winning: "1000/1h,capacity=5000".
type policyValue struct{ policy client.Policy }

// Type implements pflag.Value.
func (v *policyValue) Type() string { return "policy" }

// String writes the short form, and the members it cannot say.
func (v *policyValue) String() string {
	p := v.policy
	if p.Capacity == 0 && p.RefillRate == 0 {
		return ""
	}
	parts := []string{p.RefillRate.String() + "/" + interval(p.IntervalSeconds)}
	if strconv.FormatInt(p.Capacity, 10) != p.RefillRate.String() {
		parts = append(parts, "capacity="+strconv.FormatInt(p.Capacity, 10))
	}
	if d := string(p.Durability); d != "" {
		parts = append(parts, "durability="+d)
	}
	if p.Floor != nil {
		parts = append(parts, "floor="+strconv.FormatInt(*p.Floor, 10))
	}
	if p.AllowInline != nil {
		parts = append(parts, "allow_inline="+strconv.FormatBool(*p.AllowInline))
	}
	if p.Minority != "" {
		parts = append(parts, "minority="+p.Minority)
	}
	if p.Pool != "" {
		parts = append(parts, "pool="+p.Pool)
	}
	if p.Guarantee != nil {
		parts = append(parts, "guarantee="+p.Guarantee.String())
	}
	for _, rate := range []struct {
		member string
		value  fmt.Stringer
		given  bool
	}{{"weight", p.Weight, p.Weight != 0}, {"min_rate", p.MinRate, p.MinRate != 0}, {"max_rate", p.MaxRate, p.MaxRate != 0}} {
		if rate.given {
			parts = append(parts, rate.member+"="+rate.value.String())
		}
	}
	return strings.Join(parts, ",")
}

// Set parses s over an empty policy; it does not validate the numbers. The
// parts become members of the JSON form, whose decoder knows their types.
func (v *policyValue) Set(s string) error {
	members := map[string]json.RawMessage{}
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if key, value, isPair := strings.Cut(part, "="); isPair {
			members[strings.TrimSpace(key)] = scalar(strings.TrimSpace(value))
			continue
		}
		if err := shortForm(part, members); err != nil {
			return err
		}
	}
	p := client.Policy{}
	if err := decodeStrictly(members, &p); err != nil {
		return err
	}
	p.Name = orElse(p.Name, v.policy.Name)
	v.policy = p
	return nil
}

// shortForm reads "1000/1h".
func shortForm(s string, members map[string]json.RawMessage) error {
	amount, per, ok := strings.Cut(s, "/")
	if !ok {
		return fmt.Errorf("%q: want tokens per interval such as 1000/1h, or key=value", s)
	}
	seconds, err := parseInterval(per)
	if err != nil {
		return err
	}
	members["refill_rate"] = scalar(amount)
	members["interval_seconds"] = json.RawMessage(seconds)
	// Half a token is a rate but no capacity: that has to be said as well.
	if _, err := strconv.ParseInt(amount, 10, 64); err == nil {
		members["capacity"] = scalar(amount)
	}
	return nil
}

// scalar is a number or a truth value as it is, and anything else a string.
func scalar(s string) json.RawMessage {
	if json.Valid([]byte(s)) && !strings.ContainsAny(s, `"{[`) && s != "null" {
		return json.RawMessage(s)
	}
	quoted, err := json.Marshal(s)
	must(err) // a string always has a JSON form
	return quoted
}

// intervalUnits are the words an interval may be, in seconds.
var intervalUnits = []struct {
	word    string
	seconds int64
}{
	{"s", 1},
	{"m", 60},
	{"h", 3600},
	{"d", 86400},
	{"second", 1},
	{"minute", 60},
	{"hour", 3600},
	{"day", 86400},
}

// parseInterval reads "1h", "90s", "7d" or a bare unit ("h", "minute") and
// returns seconds, exact to a microsecond.
func parseInterval(s string) (seconds string, err error) {
	s = strings.TrimSpace(s)
	for _, u := range intervalUnits {
		if s == u.word {
			return itoa(u.seconds), nil
		}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err == nil && n > 0 {
			return itoa(n * 86400), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Microsecond {
		return "", fmt.Errorf("%q is not an interval such as 30s, 1h or 7d", s)
	}
	return fmt.Sprintf("%d.%06d", d/time.Second, d%time.Second/time.Microsecond), nil
}

// interval writes seconds in the largest unit that keeps them whole.
func interval(seconds fmt.Stringer) string {
	text := seconds.String()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n == 0 {
		return text + "s"
	}
	for _, u := range []struct {
		word    string
		seconds int64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}} {
		if n%u.seconds == 0 {
			return strconv.FormatInt(n/u.seconds, 10) + u.word
		}
	}
	return text + "s"
}
