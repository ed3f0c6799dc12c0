package ratelimit

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// A bucket key must name a limit in exactly one way on every node.
func TestInlineRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		p.Floor = nil
		l := p.Limit()
		text := string(l.AppendInline(nil))
		back, err := ParseInline(text)
		if err != nil || back != l {
			t.Fatalf("%+v is %x, and that is %+v, %v", l, text, back, err)
		}
		c := CompileInline(back)
		if err := c.Policy.Validate(); err != nil || c.Policy.Limit() != l || c.Limit != l {
			t.Fatalf("compiled to %+v, %v", c, err)
		}
	})
}

func TestParseInlineRefuses(t *testing.T) {
	good := string(Policy{Capacity: 1000, RefillRate: Whole(1000), IntervalSeconds: Whole(3600)}.Limit().AppendInline(nil))
	if good != "\xe8\x07\x01\x90\x1c" {
		t.Fatalf("the encoding has changed: %x", good)
	}
	for name, text := range map[string]string{
		"nothing":             "",
		"cut":                 good[:len(good)-1],
		"trailing byte":       good + "\x00",
		"long varint":         "\xe8\x87\x00\x01\x90\x1c",
		"endless varint":      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01",
		"varint over 64 bits": "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01\x01",
		"no capacity":         "\x00\x01\x90\x1c",
		"no rate":             "\xe8\x07\x00\x90\x1c",
		"no interval":         "\xe8\x07\x01\x00",
		"not reduced":         "\xe8\x07\x02\xa0\x38",
		"too fast":            "\xe8\x07\xff\xff\xff\xff\xff\xff\xff\x0f\x01",
	} {
		if l, err := ParseInline(text); !errors.Is(err, ErrInvalidInline) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

func FuzzParseInline(f *testing.F) {
	f.Add("\xe8\x07\x01\x90\x1c")
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x01")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseInline(s)
		if err != nil {
			return
		}
		if got := string(l.AppendInline(nil)); got != s {
			t.Fatalf("%x is read as %+v, which is written %x", s, l, got)
		}
		b := NewBucket(1, &l, nil)
		b.Admit(1<<40, &l, nil, l.Capacity)
		b.RetryAfter(1<<41, &l, nil, l.Capacity)
	})
}
