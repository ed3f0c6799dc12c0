package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

// policyValue is a policy as a flag writes it: "1000/1h" (capacity, refilled
// once an hour), or members of the JSON form as key=value, or both, the later
// winning: "1000/1h,capacity=5000".
type policyValue struct{ policy ratelimit.Policy }

// Type implements pflag.Value.
func (v *policyValue) Type() string { return "policy" }

// String writes the short form, and the members it cannot say.
func (v *policyValue) String() string {
	p := v.policy
	if p.Capacity == 0 {
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
	return strings.Join(parts, ",")
}

// Set parses s over an empty policy; it does not validate the numbers.
func (v *policyValue) Set(s string) error {
	p := ratelimit.Policy{Name: v.policy.Name}
	for _, part := range strings.Split(s, ",") {
		part = strings.TrimSpace(part)
		key, value, isPair := strings.Cut(part, "=")
		var err error
		if isPair {
			err = setMember(&p, key, value)
		} else {
			err = setShort(&p, part)
		}
		if err != nil {
			return err
		}
	}
	v.policy = p
	return nil
}

// setShort reads "1000/1h".
func setShort(p *ratelimit.Policy, s string) error {
	amount, per, ok := strings.Cut(s, "/")
	if !ok {
		return fmt.Errorf("%q: want tokens per interval such as 1000/1h, or key=value", s)
	}
	if err := setMember(p, "capacity", amount); err != nil {
		return err
	}
	if err := setMember(p, "refill_rate", amount); err != nil {
		return err
	}
	seconds, err := parseInterval(per)
	if err != nil {
		return err
	}
	p.IntervalSeconds = seconds
	return nil
}

// policyMembers sets one member of a policy from its text.
var policyMembers = map[string]func(p *ratelimit.Policy, value string) error{
	"capacity": func(p *ratelimit.Policy, value string) (err error) {
		p.Capacity, err = wholeTokens(value)
		return err
	},
	"refill_rate": func(p *ratelimit.Policy, value string) (err error) {
		p.RefillRate, err = ratelimit.ParseDecimal(value)
		return err
	},
	"interval_seconds": func(p *ratelimit.Policy, value string) (err error) {
		p.IntervalSeconds, err = ratelimit.ParseDecimal(value)
		return err
	},
	"durability": func(p *ratelimit.Policy, value string) error {
		p.Durability = ratelimit.Durability(value)
		return nil
	},
	"floor": func(p *ratelimit.Policy, value string) error {
		n, err := wholeTokens(value)
		p.Floor = &n
		return err
	},
	"allow_inline": func(p *ratelimit.Policy, value string) error {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is not true or false", value)
		}
		p.AllowInline = &b
		return nil
	},
	"minority": func(p *ratelimit.Policy, value string) error {
		p.Minority = value
		return nil
	},
}

func setMember(p *ratelimit.Policy, key, value string) error {
	set, ok := policyMembers[key]
	if !ok {
		known := make([]string, 0, len(policyMembers))
		for k := range policyMembers {
			known = append(known, k)
		}
		slices.Sort(known)
		return fmt.Errorf("a policy has no %q; it has %s", key, strings.Join(known, ", "))
	}
	if err := set(p, strings.TrimSpace(value)); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func wholeTokens(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number of tokens", s)
	}
	return n, nil
}

// intervalUnits are the words an interval may be, in seconds.
var intervalUnits = []struct {
	word    string
	seconds int64
}{
	{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400},
	{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400},
}

// parseInterval reads "1h", "90s", "7d" or a bare unit ("h", "minute").
func parseInterval(s string) (ratelimit.Decimal, error) {
	s = strings.TrimSpace(s)
	for _, u := range intervalUnits {
		if s == u.word {
			return ratelimit.Whole(u.seconds), nil
		}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err == nil && n > 0 {
			return ratelimit.Whole(n * 86400), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not an interval such as 30s, 1h or 7d", s)
	}
	if d%time.Microsecond != 0 {
		return 0, errors.New("an interval is exact to a microsecond")
	}
	return ratelimit.ParseDecimal(strconv.FormatFloat(d.Seconds(), 'f', 6, 64))
}

// interval writes seconds in the largest unit that keeps them whole.
func interval(seconds ratelimit.Decimal) string {
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
