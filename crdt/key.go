package crdt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Limits of the parts of keys, in bytes.
const (
	MaxNameBytes   = 128  // tenant, agent, policy and node names
	MaxKVKeyBytes  = 1024 // keys of the store
	MaxInlineBytes = 64   // an inline policy: three varints, with room
)

var (
	// ErrBadName reports a name that cannot be part of a key.
	ErrBadName = errors.New("crdt: bad name")
	// ErrBadKey reports bytes that are not a key of the expected shape.
	ErrBadKey = errors.New("crdt: bad key")
)

// ValidName reports why s cannot be a name: it has 1 to 128 bytes, none of them a
// control character. It need not be UTF-8. The zero byte parts the names of a
// key, and the others only confuse those who read a listing.
func ValidName(s string) error { return validBytes(s, MaxNameBytes) }

// ValidKVKey is ValidName for keys of the store, which may be longer.
func ValidKVKey(s string) error { return validBytes(s, MaxKVKeyBytes) }

func validBytes(s string, most int) error {
	if s == "" {
		return fmt.Errorf("%w: empty", ErrBadName)
	}
	if len(s) > most {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrBadName, len(s), most)
	}
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == 0x7f {
			return fmt.Errorf("%w: control character 0x%02x at byte %d", ErrBadName, c, i)
		}
	}
	return nil
}

// BucketKey names one token bucket: tenant 0x00 agent 0x00 uvarint(epoch) inline.
// Keys of one agent lie side by side, and agents are in the order of their names.
type BucketKey struct {
	Tenant, Agent string
	Epoch         HLC    // time of the agent's last deletion, 0 = never: a deleted agent starts afresh
	Inline        string // policy sent along with a request, in its own encoding; "" = the configured one
}

// Append appends the key's bytes.
func (k BucketKey) Append(b []byte) []byte {
	b = appendNames(b, k.Tenant, k.Agent)
	b = binary.AppendUvarint(b, uint64(k.Epoch))
	return append(b, k.Inline...)
}

// Encode returns the key's bytes as a string, fit for a map.
func (k BucketKey) Encode() string { return string(k.Append(nil)) }

// ParseBucketKey is the reverse of Encode; anything Encode cannot have written
// from valid names is ErrBadKey.
func ParseBucketKey(s string) (BucketKey, error) {
	var k BucketKey
	var rest string
	var err error
	if k.Tenant, k.Agent, rest, err = cutNames(s, ValidName); err != nil {
		return BucketKey{}, err
	}
	if k.Epoch, k.Inline, err = cutEpoch(rest); err != nil {
		return BucketKey{}, err
	}
	if len(k.Inline) > MaxInlineBytes {
		return BucketKey{}, fmt.Errorf("%w: inline policy of %d bytes", ErrBadKey, len(k.Inline))
	}
	return k, nil
}

// AgentPrefix returns what all bucket keys of an agent begin with, and no other's.
func AgentPrefix(tenant, agent string) string {
	return string(appendNames(nil, tenant, agent))
}

// CounterKey names one kv counter: tenant 0x00 name 0x00 uvarint(epoch). The epoch
// is the time of its last deletion; increments under an older one are void.
type CounterKey struct {
	Tenant, Name string
	Epoch        HLC
}

// Append appends the key's bytes.
func (k CounterKey) Append(b []byte) []byte {
	return binary.AppendUvarint(appendNames(b, k.Tenant, k.Name), uint64(k.Epoch))
}

// Encode returns the key's bytes as a string, fit for a map.
func (k CounterKey) Encode() string { return string(k.Append(nil)) }

// ParseCounterKey is the reverse of Encode; anything else is ErrBadKey.
func ParseCounterKey(s string) (CounterKey, error) {
	tenant, name, rest, err := cutNames(s, ValidKVKey)
	if err != nil {
		return CounterKey{}, err
	}
	epoch, rest, err := cutEpoch(rest)
	if err != nil {
		return CounterKey{}, err
	}
	if rest != "" {
		return CounterKey{}, fmt.Errorf("%w: %d bytes after the epoch", ErrBadKey, len(rest))
	}
	return CounterKey{tenant, name, epoch}, nil
}

// The name spaces of registers. The values are part of the format.
const (
	SpaceKV     byte = 'k' // entries of the store
	SpacePolicy byte = 'p' // policies
	SpaceAgent  byte = 'a' // deletion of agents: its version is the epoch that begins
	SpaceReset  byte = 'r' // reset of agents: its version is when
	SpaceMember byte = 'm' // control of members: left, forgotten
	SpaceAPIKey byte = 'y' // API keys
	SpaceTenant byte = 't' // tenants
	SpaceClaim  byte = 'e' // usage events that a node has billed, for a while
	SpacePrice  byte = 'c' // versions of prices
	SpacePool   byte = 'd' // pools: capacities of downstreams
	SpaceLedger byte = 'l' // who began to share a pool, by the pool's name
	SpaceShare  byte = 's' // what one node says of its share of a pool: pool, slash, node
	SpaceRates  byte = 'f' // what one node expects of agents, and the rates it decided: node
)

// RegisterKey names one register: space tenant 0x00 name. The tenant is empty for
// what belongs to the whole cluster. With an empty Name, Encode returns the
// prefix of all registers of the tenant.
type RegisterKey struct {
	Space        byte
	Tenant, Name string
}

// Append appends the key's bytes.
func (k RegisterKey) Append(b []byte) []byte {
	b = append(b, k.Space)
	b = append(b, k.Tenant...)
	b = append(b, 0)
	return append(b, k.Name...)
}

// Encode returns the key's bytes as a string, fit for a map.
func (k RegisterKey) Encode() string { return string(k.Append(nil)) }

// ParseRegisterKey is the reverse of Encode; anything that Encode cannot have
// written from valid names is ErrBadKey. A space it does not know is not an
// error: a newer node may have it.
func ParseRegisterKey(s string) (RegisterKey, error) {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return RegisterKey{}, fmt.Errorf("%w: no name space", ErrBadKey)
	}
	tenant, name, found := strings.Cut(s[1:], "\x00")
	if !found {
		return RegisterKey{}, fmt.Errorf("%w: no tenant", ErrBadKey)
	}
	if tenant != "" {
		if err := ValidName(tenant); err != nil {
			return RegisterKey{}, fmt.Errorf("%w: tenant: %w", ErrBadKey, err)
		}
	}
	if err := ValidKVKey(name); err != nil {
		return RegisterKey{}, fmt.Errorf("%w: name: %w", ErrBadKey, err)
	}
	return RegisterKey{s[0], tenant, name}, nil
}

func appendNames(b []byte, tenant, name string) []byte {
	b = append(b, tenant...)
	b = append(b, 0)
	b = append(b, name...)
	return append(b, 0)
}

// cutNames splits off the tenant and the name that appendNames wrote.
func cutNames(s string, validName func(string) error) (tenant, name, rest string, err error) {
	tenant, rest, found := strings.Cut(s, "\x00")
	if !found {
		return "", "", "", fmt.Errorf("%w: no tenant", ErrBadKey)
	}
	if err := ValidName(tenant); err != nil {
		return "", "", "", fmt.Errorf("%w: tenant: %w", ErrBadKey, err)
	}
	name, rest, found = strings.Cut(rest, "\x00")
	if !found {
		return "", "", "", fmt.Errorf("%w: no name", ErrBadKey)
	}
	if err := validName(name); err != nil {
		return "", "", "", fmt.Errorf("%w: name: %w", ErrBadKey, err)
	}
	return tenant, name, rest, nil
}

// cutEpoch splits off the epoch.
func cutEpoch(s string) (epoch HLC, rest string, err error) {
	r := NewReader([]byte(s[:min(len(s), binary.MaxVarintLen64)]))
	before := r.Len()
	epoch = HLC(r.Uvarint())
	if r.Err() != nil { // not wrapped: that would put the bytes on the heap for every key
		return 0, "", fmt.Errorf("%w: epoch", ErrBadKey)
	}
	return epoch, s[before-r.Len():], nil
}
