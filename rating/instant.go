package rating

import (
	"encoding/json"
	"errors"
	"time"
)

// UnixMS is an instant in milliseconds since 1970. Its JSON form is RFC 3339 in
// UTC; what is finer than a millisecond is cut off.
type UnixMS int64

var errInstant = errors.New("not an RFC 3339 time between 1970 and 9999, such as 2026-01-31T12:00:00Z")

// maxInstant is the end of the year 9999: RFC 3339 has four digits for it.
const maxInstant = UnixMS(253_402_300_799_999)

// MarshalJSON writes the instant as RFC 3339.
func (m UnixMS) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.UnixMilli(int64(m)).UTC())
}

// UnmarshalJSON reads RFC 3339; null leaves the instant as it is.
func (m *UnixMS) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var t time.Time
	if err := json.Unmarshal(b, &t); err != nil {
		return errInstant
	}
	v := UnixMS(t.UnixMilli())
	if v < 0 || v > maxInstant {
		return errInstant
	}
	*m = v
	return nil
}
