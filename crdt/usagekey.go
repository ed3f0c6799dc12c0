package crdt

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// UsageKey names one sum of billed usage: what an agent used of a model on a day
// under one price, by one meter. The keys of an agent lie side by side, in the
// order of the days: tenant 0x00 agent 0x00 day(4) meter(1) from(8) model 0x00 price.
type UsageKey struct {
	Tenant, Agent string
	Day           uint32 // days since 1970-01-01 UTC
	Meter         byte
	Model         string
	// Price is the pattern of the price that rated it, From the instant in unix
	// ms from which that version holds. Both are zero for what no price was
	// known for.
	Price string
	From  int64
}

const usageKeyFixed = 4 + 1 + 8

// Append appends the key's bytes.
func (k UsageKey) Append(b []byte) []byte {
	b = appendNames(b, k.Tenant, k.Agent)
	b = binary.BigEndian.AppendUint32(b, k.Day)
	b = append(b, k.Meter)
	b = binary.BigEndian.AppendUint64(b, uint64(k.From))
	b = append(b, k.Model...)
	b = append(b, 0)
	return append(b, k.Price...)
}

// Encode returns the key's bytes as a string, fit for a map.
func (k UsageKey) Encode() string { return string(k.Append(nil)) }

// UsagePrefix returns what all usage keys of an agent from a day on are not less
// than, and what all of the agent begin with when the day is 0.
func UsagePrefix(tenant, agent string, day uint32) string {
	b := appendNames(nil, tenant, agent)
	if day != 0 {
		b = binary.BigEndian.AppendUint32(b, day)
	}
	return string(b)
}

// ParseUsageKey is the reverse of Encode; anything Encode cannot have written
// from valid names is ErrBadKey.
func ParseUsageKey(s string) (UsageKey, error) {
	var k UsageKey
	var rest string
	var err error
	if k.Tenant, k.Agent, rest, err = cutNames(s, ValidName); err != nil {
		return UsageKey{}, err
	}
	if len(rest) < usageKeyFixed {
		return UsageKey{}, fmt.Errorf("%w: no day, meter and price", ErrBadKey)
	}
	fixed := []byte(rest[:usageKeyFixed])
	k.Day = binary.BigEndian.Uint32(fixed)
	k.Meter = fixed[4]
	k.From = int64(binary.BigEndian.Uint64(fixed[5:]))
	var found bool
	if k.Model, k.Price, found = strings.Cut(rest[usageKeyFixed:], "\x00"); !found {
		return UsageKey{}, fmt.Errorf("%w: no price", ErrBadKey)
	}
	if err := ValidName(k.Model); err != nil {
		return UsageKey{}, fmt.Errorf("%w: model: %w", ErrBadKey, err)
	}
	if k.Price != "" {
		if err := ValidName(k.Price); err != nil {
			return UsageKey{}, fmt.Errorf("%w: price: %w", ErrBadKey, err)
		}
	}
	return k, nil
}
