package access

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

const (
	keyPrefix = "ock_"
	idLen     = 16 // hex digits
	secretLen = 43 // base64url of 32 bytes
	keyLen    = len(keyPrefix) + idLen + 1 + secretLen
)

// ErrMalformedKey reports text that is no key of ours.
var ErrMalformedKey = errors.New("is not an API key: want ock_, 16 hex digits, _ and 43 characters")

// Secret is a new key in the only form in which it can be used. It is shown once.
type Secret struct{ text string }

// NewSecret draws a key.
func NewSecret(random io.Reader) (Secret, error) {
	var b [8 + 32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Secret{}, fmt.Errorf("draw a key: %w", err)
	}
	return Secret{keyPrefix + hex.EncodeToString(b[:8]) + "_" + base64.RawURLEncoding.EncodeToString(b[8:])}, nil
}

// ParseSecret takes a key as it was shown.
func ParseSecret(text string) (Secret, error) {
	_, secret, ok := split([]byte(text))
	for _, c := range secret {
		ok = ok && urlSafe[c]
	}
	if !ok {
		return Secret{}, ErrMalformedKey
	}
	return Secret{text}, nil
}

// Reveal is the key as its owner sends it.
func (s Secret) Reveal() string { return s.text }

// String hides the secret, so that a log line does not tell it.
func (s Secret) String() string { return s.Prefix() + "_…" }

// ID is what names the key in listings, logs and the audit log.
func (s Secret) ID() string { return s.text[len(keyPrefix) : len(keyPrefix)+idLen] }

// Prefix is the beginning of the key, by which its owner recognises it.
func (s Secret) Prefix() string { return PrefixOf(s.ID()) }

// Hash is what is stored of the secret.
func (s Secret) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(s.text[keyLen-secretLen:])) }

// PrefixOf is the beginning of the key with the id.
func PrefixOf(id string) string { return keyPrefix + id }

// ValidID tells whether text has the form of a key's id.
func ValidID(text string) bool {
	_, ok := parseID([]byte(text))
	return ok && len(text) == idLen
}

// split takes a key apart without allocating. What characters the secret has is left to its hash.
func split(token []byte) (id uint64, secret []byte, ok bool) {
	if len(token) != keyLen || string(token[:len(keyPrefix)]) != keyPrefix || token[len(keyPrefix)+idLen] != '_' {
		return 0, nil, false
	}
	id, ok = parseID(token[len(keyPrefix) : len(keyPrefix)+idLen])
	return id, token[keyLen-secretLen:], ok
}

func parseID(text []byte) (id uint64, ok bool) {
	if len(text) != idLen {
		return 0, false
	}
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			id = id<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			id = id<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return id, true
}

var urlSafe = func() (t [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		t[c] = true
	}
	return t
}()

// same compares two secrets in a time that does not depend on where they differ.
func same(a *[secretLen]byte, b []byte) bool {
	if len(b) != secretLen {
		return false
	}
	var diff uint64
	for i := 0; i+8 <= secretLen; i += 8 {
		diff |= binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:])
	}
	diff |= binary.LittleEndian.Uint64(a[secretLen-8:]) ^ binary.LittleEndian.Uint64(b[secretLen-8:])
	return diff == 0
}
