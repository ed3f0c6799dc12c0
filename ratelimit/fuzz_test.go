package ratelimit

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// FuzzPolicy: what decodes to a valid policy is written as itself and gives a limit
// within its bounds; what is not valid names its field.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"name":"p","match":"team-*","capacity":1000,"refill_rate":1000,"interval_seconds":3600}`))
	f.Add([]byte(`{"capacity":1,"refill_rate":0.000001,"interval_seconds":9007199254.740992,"durability":"reserve","floor":0,"allow_inline":false,"minority":"hold"}`))
	f.Add([]byte(`{"capacity":9007199254,"refill_rate":1e9,"interval_seconds":0.1,"floor":9007199254}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Policy
		if json.Unmarshal(b, &p) != nil {
			return
		}
		if err := p.Validate(); err != nil {
			var field *FieldError
			if !errors.As(err, &field) || field.Field == "" || !errors.Is(err, ErrInvalidPolicy) {
				t.Fatalf("%v names no field", err)
			}
			return
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var again Policy
		if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v is written as %s and read as %+v, %v", p, text, again, err)
		}
		l := p.Limit()
		bucket := NewBucket(1, &l, nil)
		for _, now := range []int64{1, 2, 1 << 40, 1 << 62} {
			bucket.Charge(now, &l, nil, l.Capacity)
			if level := bucket.Level(now, &l, nil); level > l.Capacity || level < -l.Floor {
				t.Fatalf("%s: level %d of %+v", text, level, l)
			}
			if ms := l.TimeToFill(); ms < 0 {
				t.Fatalf("%s fills in %v", text, ms)
			}
		}
	})
}
