package storage

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// rawKey draws keys from few bytes, so that prefixes and zero bytes are common.
func rawKey() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0xfe, 0xff}), 0, 8).Draw(t, "bytes"))
	})
}

func TestEscapedKeysOrderAsRawOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rawKey().Draw(t, "a"), rawKey().Draw(t, "b")
		ea, eb := appendEscaped(nil, a), appendEscaped(nil, b)
		if got, want := bytes.Compare(ea, eb), strings.Compare(a, b); got != want {
			t.Fatalf("%q and %q order as %d, escaped %q and %q as %d", a, b, want, ea, eb, got)
		}
		if a != b && bytes.HasPrefix(eb, ea) {
			t.Fatalf("%q begins with %q", eb, ea)
		}
		if got, want := bytes.HasPrefix(eb, appendEscapedPrefix(nil, a)), strings.HasPrefix(b, a); got != want {
			t.Fatalf("%q begins with %q: %v, escaped: %v", b, a, want, got)
		}
		if len(ea) != escapedLen(a) {
			t.Fatalf("escapedLen(%q) = %d, want %d", a, escapedLen(a), len(ea))
		}
		if raw, err := unescape(nil, ea); err != nil || string(raw) != a {
			t.Fatalf("unescape(%q) = %q, %v", ea, raw, err)
		}
	})
}

func TestUnescapeRefuses(t *testing.T) {
	for _, bad := range []string{"", "a", "a\x00", "\x00\xff", "\x00\x02", "\x00\x01a", "a\x00\x01\x00\x01"} {
		if raw, err := unescape(nil, []byte(bad)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("unescape(%q) = %q, %v", bad, raw, err)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ prefix, end string }{
		{"a", "b"}, {"a\xff", "b"}, {"a\xff\xff", "b"}, {"ab", "ac"},
	} {
		if got := prefixEnd([]byte(c.prefix)); string(got) != c.end {
			t.Errorf("prefixEnd(%q) = %q, want %q", c.prefix, got, c.end)
		}
	}
	if got := prefixEnd([]byte{0xff, 0xff}); got != nil {
		t.Errorf("prefixEnd of all ones = %q, want none", got)
	}
}

// namedRange against the raw keys it stands for.
func TestNamedRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix, from, key := rawKey().Draw(t, "prefix"), rawKey().Draw(t, "from"), rawKey().Draw(t, "key")
		lower, upper := namedRange(registerSpace, prefix, from)
		k := appendNamedKey(nil, registerSpace, key)
		got := bytes.Compare(k, lower) >= 0 && bytes.Compare(k, upper) < 0
		want := strings.HasPrefix(key, prefix) && (from == "" || key > from)
		if got != want {
			t.Fatalf("prefix %q from %q: %q is in the range: %v, want %v", prefix, from, key, got, want)
		}
	})
}
