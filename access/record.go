package access

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// KeyRecord is what is stored of a key. It is written once and never again: what ends a key early is a record of its
// own ([Ending]), so that no late write of one node can bring back what another has revoked.
type KeyRecord struct {
	Role    Role   `json:"role"`
	Tenant  string `json:"tenant"`
	Hash    string `json:"hash"` // SHA-256 of the secret, hex
	Name    string `json:"name,omitempty"`
	Created int64  `json:"created"`           // unix ms
	By      string `json:"by,omitempty"`      // id of the key that made it
	Expires int64  `json:"expires,omitempty"` // unix ms, 0 = never
	Rotated string `json:"rotated,omitempty"` // id of the key it replaces
}

// Encode is the stored form.
func (r KeyRecord) Encode() []byte { return encode(r) }

// ParseKeyRecord reads a stored record.
func ParseKeyRecord(b []byte) (r KeyRecord, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("key record: %w", err)
	}
	if !r.Role.Known() || r.Tenant == "" {
		return r, errors.New("key record: no such role, or no tenant")
	}
	_, err = r.hash()
	return r, err
}

func (r *KeyRecord) hash() (h [sha256.Size]byte, err error) {
	if n, err := hex.Decode(h[:], []byte(r.Hash)); err != nil || n != len(h) || len(r.Hash) != 2*len(h) {
		return h, errors.New("key record: the hash is not one of SHA-256")
	}
	return h, nil
}

// HashText is a hash as a record has it.
func HashText(h [sha256.Size]byte) string { return hex.EncodeToString(h[:]) }

// Ending ends a key before its time.
type Ending struct {
	At int64  `json:"at"` // unix ms; a time to come leaves a grace
	By string `json:"by,omitempty"`
}

// Encode is the stored form.
func (e Ending) Encode() []byte { return encode(e) }

// ParseEnding reads a stored ending.
func ParseEnding(b []byte) (e Ending, err error) {
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("ending of a key: %w", err)
	}
	return e, nil
}

// The two ways a key ends early, as suffixes of its id in the names of registers. A revocation is for good whatever its
// time says and whoever writes later; a replacement lets the old key live on for a while.
const (
	RevokedSuffix  = "/revoked"
	ReplacedSuffix = "/replaced"
)

// Quota bounds what one tenant may take of the cluster. 0 is no bound.
type Quota struct {
	RequestsPerSecond int64 `json:"requests_per_second,omitempty"` // of the whole cluster; each check of a batch counts
	Agents            int64 `json:"agents,omitempty"`
	KVBytes           int64 `json:"kv_bytes,omitempty"` // keys and values
	Watchers          int64 `json:"watchers,omitempty"` // open change streams on one node
	MergeShare        int64 `json:"merge_share,omitempty"`
}

// TenantRecord is what is stored of a tenant.
type TenantRecord struct {
	Quota   Quota `json:"quota"`
	Created int64 `json:"created"` // unix ms
}

// Encode is the stored form.
func (r TenantRecord) Encode() []byte { return encode(r) }

// ParseTenantRecord reads a stored record.
func ParseTenantRecord(b []byte) (r TenantRecord, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("tenant record: %w", err)
	}
	return r, nil
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode %T: %w", v, err)) // strings and numbers always have a JSON form
	}
	return b
}
