package storage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/openclaw/clawd/crdt"
)

// SchemaVersion is the layout of keys and values this build writes. It is
// checked when a store is opened: a newer one is refused, never guessed at.
const SchemaVersion = 1

// Version bytes that lead the values. (An index value is led by the kind of
// what it points to, and is covered by the engine's checksums only: it can be
// rebuilt from the cells and registers.)
const (
	registerVersion  = 1
	runVersion       = 1
	vectorVersion    = 1
	highWaterVersion = 1
	selfVersion      = 1
	markerVersion    = 1
)

// maxClusterBytes bounds the cluster's name.
const maxClusterBytes = 255

// Self is the identity of a data directory.
type Self struct {
	Node      crdt.NodeID
	Cluster   string
	CreatedMS int64 // unix ms
}

// Vector is what is known of one run.
type Vector struct {
	Seq    uint64 // everything up to it is here, or superseded, or collected
	Stable int64  // unix ms of the run's clock up to which that is so
}

// HighWater is the promise behind `reserve`: consumption of the own row's
// generation Birth up to Mark is accounted for, crash or not.
type HighWater struct {
	Birth uint64
	Mark  uint64 // µtok
}

func (v Vector) append(b []byte) []byte {
	start := len(b)
	b = binary.AppendUvarint(append(b, vectorVersion), v.Seq)
	return crdt.Seal(binary.AppendVarint(b, v.Stable), start)
}

func decodeVector(b []byte) (v Vector, err error) {
	d, err := crdt.Open(b, vectorVersion)
	if err != nil {
		return Vector{}, err
	}
	v = Vector{Seq: d.Uvarint(), Stable: d.Varint()}
	return v, d.End()
}

func (hw HighWater) append(b []byte) []byte {
	start := len(b)
	b = binary.AppendUvarint(append(b, highWaterVersion), hw.Birth)
	return crdt.Seal(binary.AppendUvarint(b, hw.Mark), start)
}

func decodeHighWater(b []byte) (hw HighWater, err error) {
	d, err := crdt.Open(b, highWaterVersion)
	if err != nil {
		return HighWater{}, err
	}
	hw = HighWater{Birth: d.Uvarint(), Mark: d.Uvarint()}
	return hw, d.End()
}

func (s Self) append(b []byte) []byte {
	start := len(b)
	b = binary.AppendUvarint(append(b, selfVersion), SchemaVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Node))
	b = crdt.AppendString(b, s.Cluster)
	return crdt.Seal(binary.AppendVarint(b, s.CreatedMS), start)
}

func decodeSelf(b []byte) (s Self, schema uint64, err error) {
	d, err := crdt.Open(b, selfVersion)
	if err != nil {
		return Self{}, 0, err
	}
	schema = d.Uvarint()
	if schema != SchemaVersion {
		return Self{}, schema, d.Err() // the rest is of a form unknown here
	}
	s.Node = crdt.NodeID(d.Uint64())
	s.Cluster = d.String(maxClusterBytes)
	s.CreatedMS = d.Varint()
	return s, schema, d.End()
}

func appendRegister(b []byte, r crdt.Register) []byte {
	start := len(b)
	return crdt.Seal(crdt.AppendRegister(append(b, registerVersion), r), start)
}

func decodeRegister(b []byte) (r crdt.Register, err error) {
	d, err := crdt.Open(b, registerVersion)
	if err != nil {
		return crdt.Register{}, err
	}
	r = d.Register()
	return r, d.End()
}

func appendRun(b []byte, r crdt.Run) []byte {
	start := len(b)
	return crdt.Seal(crdt.AppendRun(append(b, runVersion), r), start)
}

func decodeRun(b []byte) (r crdt.Run, err error) {
	d, err := crdt.Open(b, runVersion)
	if err != nil {
		return crdt.Run{}, err
	}
	r = d.Run()
	return r, d.End()
}

func appendMarker(b []byte) []byte { return crdt.Seal(append(b, markerVersion), len(b)) }

func decodeMarker(b []byte) error {
	d, err := crdt.Open(b, markerVersion)
	if err != nil {
		return err
	}
	return d.End()
}

// decodeIndex splits an index value. key shares the memory of b.
func decodeIndex(b []byte) (kind crdt.Kind, key []byte, err error) {
	if len(b) == 0 || !crdt.Kind(b[0]).Valid() {
		return 0, nil, crdt.ErrCorrupt
	}
	return crdt.Kind(b[0]), b[1:], nil
}

// undecodable says which record cannot be decoded, and of which kind that is.
func undecodable(key []byte, err error) error {
	if errors.Is(err, crdt.ErrVersion) {
		return fmt.Errorf("storage: record %q is of a newer format: %w: %w", key, ErrUnreadable, err)
	}
	return fmt.Errorf("storage: record %q: %w: %w", key, ErrCorrupt, err)
}
