package crdt

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrBadID reports a text that is not 16 hexadecimal digits.
var ErrBadID = errors.New("crdt: an id is 16 hexadecimal digits")

// NodeID names one data directory, drawn at random when it is created. It
// outlives restarts and breaks ties between writers of a register.
type NodeID uint64

// Origin names one run, that is one start of one process, and is the identity
// that bears counters. A run id is never used twice: a restarted process that
// went on with old rows could count backwards after a lost tail of its log.
type Origin uint64

// String returns the id as 16 hexadecimal digits.
func (n NodeID) String() string { return formatID(uint64(n)) }

// String returns the id as 16 hexadecimal digits.
func (o Origin) String() string { return formatID(uint64(o)) }

// ParseNodeID reads what NodeID.String wrote; anything else is ErrBadID.
func ParseNodeID(s string) (NodeID, error) {
	v, err := parseID(s)
	return NodeID(v), err
}

// ParseOrigin reads what Origin.String wrote; anything else is ErrBadID.
func ParseOrigin(s string) (Origin, error) {
	v, err := parseID(s)
	return Origin(v), err
}

// MarshalText makes the id a JSON string: a JSON number loses digits past 2^53.
func (n NodeID) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (n *NodeID) UnmarshalText(b []byte) (err error) {
	*n, err = ParseNodeID(string(b))
	return err
}

// MarshalText makes the id a JSON string: a JSON number loses digits past 2^53.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (o *Origin) UnmarshalText(b []byte) (err error) {
	*o, err = ParseOrigin(string(b))
	return err
}

const idDigits = 16

func formatID(v uint64) string {
	const digits = "0123456789abcdef"
	var b [idDigits]byte
	for i := range b {
		b[i] = digits[v>>(60-4*i)&0xf]
	}
	return string(b[:])
}

func parseID(s string) (uint64, error) {
	v, err := strconv.ParseUint(s, 16, 64)
	// ParseUint also takes a sign and short numbers; formatting back refuses
	// both, and upper case with them, so that an id has one spelling.
	if err != nil || formatID(v) != s {
		return 0, fmt.Errorf("%w: %.40q", ErrBadID, s)
	}
	return v, nil
}
