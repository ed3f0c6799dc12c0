package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/openclaw/clawd/api/wire"
)

// The hot routes' decoder against encoding/json: what it takes, the library takes with the same result, and what it
// refuses the library refuses as well, unless it is one of the things the library is known to let pass.

var consumeSeeds = []string{
	"", "{}", `{"tokens":1}`, `{"tokens":null,"policy":null}`, `{"tokens":9007199254}`, `{"tokens":9007199255}`, `{"tokens":-1}`,
	`{"tokens":1.0}`, `{"tokens":1e2}`, ` {"tokens" : 5 , "policy" : {"capacity":1,"refill_rate":0.5,"interval_seconds":1e1}} `,
	`{"policy":{"capacity":1,"refill_rate":1,"interval_seconds":1},"tokens":3}`, `{"\u0074okens":2}`, `{"tokens":2,"tokens":3}`,
	`{"Tokens":2}`, `{"tokens":01}`, `{"tokens":1}}`, `[1]`, `{"policy":{"capacity":0}}`, "{\"\xff\":1}", `{"a":"\ud800"}`,
}

func FuzzScanConsume(f *testing.F) {
	for _, s := range consumeSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tokens, inline, err := scanConsume(body)
		var want wire.ConsumeRequest
		wantErr := decodeJSON(body, &want)
		if err == nil {
			if wantErr != nil {
				t.Fatalf("took what encoding/json refuses: %v", wantErr)
			}
			if got := (wire.ConsumeRequest{Tokens: orNil(tokens), Policy: inline.orNil()}); !reflect.DeepEqual(got, want) {
				t.Fatalf("scanned %+v, encoding/json %+v", got, want)
			}
			return
		}
		named(t, err)
		if wantErr == nil && !lax(body) && validTokens(want.Tokens) && (want.Policy == nil || checkInline(*want.Policy) == nil) {
			t.Fatalf("refused (%v) what encoding/json takes as %+v", err, want)
		}
	})
}

var batchSeeds = []string{
	`{"checks":[]}`, `{"checks":[{"agent":"a"}]}`, `{"atomic":true,"checks":[{"agent":"a","tokens":2},{"agent":"b/\u00e9","policy":{"capacity":1,"refill_rate":1,"interval_seconds":1}}]}`,
	`{"checks":[{"agent":"a"},]}`, `{"checks":null,"atomic":null}`, `{"checks":[{"agent":"\ud83d\ude00"}]}`, `{"checks":[{"agent":"\ud83d"}]}`,
	`{"checks":[{"agent":null}]}`, `{"checks":[{}]}`, `{"checks":[{"agent":"a","agent":"b"}]}`, `{"checks":[{"agent":"a` + "\x01" + `"}]}`,
}

func FuzzScanBatch(f *testing.F) {
	for _, s := range append(batchSeeds, consumeSeeds...) {
		f.Add([]byte(s))
	}
	for _, check := range []string{
		`"agent":"a","tokens":1`, `"agent":"a","tokens":01`, `"agent":"a","tokens":0`, `"agent":"a","tokens":1.5`, `"agent":"","tokens":1`,
		`"agent":"a","tokens":9999999999999999999`, `"agent":"a","tokens":9007199254`, `"agent":"a\u0041","tokens":1`, `"agent":"a","tokens":1,"agent":"b"`,
	} {
		f.Add([]byte(`{"checks":[{` + check + `},{"agent":"é","tokens":2}]}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		checks, atomic, err := scanBatch(body, nil)
		var want wire.BatchRequest
		wantErr := decodeJSON(body, &want)
		if err == nil {
			if wantErr != nil {
				t.Fatalf("took what encoding/json refuses: %v", wantErr)
			}
			got := wire.BatchRequest{Atomic: atomic}
			for _, c := range checks {
				got.Checks = append(got.Checks, wire.BatchCheck{Agent: c.Agent, Tokens: orNil(c.Tokens), Policy: c.Inline.orNil()})
			}
			if len(want.Checks) == 0 {
				want.Checks = nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("scanned %+v, encoding/json %+v", got, want)
			}
			return
		}
		named(t, err)
		if wantErr != nil || lax(body) {
			return
		}
		for _, c := range want.Checks {
			if !validTokens(c.Tokens) || c.Policy != nil && checkInline(*c.Policy) != nil {
				return
			}
		}
		t.Fatalf("refused (%v) what encoding/json takes as %+v", err, want)
	})
}

// named checks that a refusal names a field.
func named(t *testing.T, err error) {
	var field *FieldError
	if !errors.As(err, &field) || field.Field == "" || !errors.Is(err, ErrInvalid) {
		t.Fatalf("%v names no field", err)
	}
}

func orNil(tokens int64) *int64 {
	if tokens == 0 {
		return nil
	}
	return &tokens
}

func (i Inline) orNil() *wire.InlinePolicy {
	if !i.Given {
		return nil
	}
	return &i.Policy
}

func validTokens(n *int64) bool { return n == nil || *n >= 1 && *n <= MaxTokens }

// lax tells whether the body has what encoding/json lets pass and we do not: a null for an object or a number that must
// be there, a name in another case, a name given twice. It errs on the side of yes only for bodies with names it does
// not know, which encoding/json refuses anyway, and for nulls.
func lax(body []byte) bool {
	if bytes.Contains(body, []byte("null")) {
		return true
	}
	d := json.NewDecoder(bytes.NewReader(body))
	type level struct {
		object bool
		name   bool // a name comes next
		seen   map[string]bool
	}
	stack := []level{{}}
	for {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		top := &stack[len(stack)-1]
		switch v := tok.(type) {
		case json.Delim:
			switch v {
			case '{', '[':
				top.name = top.object
				stack = append(stack, level{object: v == '{', name: v == '{', seen: map[string]bool{}})
			default:
				stack = stack[:len(stack)-1]
			}
			continue
		case string:
			if top.object && top.name {
				known := strings.Contains(" tokens policy capacity refill_rate interval_seconds atomic checks agent ", " "+v+" ")
				if !known || top.seen[v] {
					return true
				}
				top.seen[v], top.name = true, false
				continue
			}
		}
		top.name = top.object
	}
}

// TestScanAllocates: the usual bodies cost nothing.
func TestScanAllocates(t *testing.T) {
	for body, most := range map[string]float64{
		`{"tokens":5}`: 0,
		`{ "tokens" : 9007199254 , "policy" : null }`:                                 0,
		`{"tokens":5,"policy":{"capacity":10,"refill_rate":1,"interval_seconds":60}}`: 2, // the decimals' texts
	} {
		b := []byte(body)
		if n := testing.AllocsPerRun(100, func() {
			if _, _, err := scanConsume(b); err != nil {
				t.Fatal(err)
			}
		}); n > most {
			t.Errorf("%s costs %v allocations, want at most %v", body, n, most)
		}
	}
}
