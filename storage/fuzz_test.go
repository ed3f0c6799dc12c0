package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/openclaw/clawd/crdt"
)

// again fails when a value that was read is written as something else.
func again[T any](t *testing.T, v T, err error, write func(T) []byte, read func([]byte) (T, error)) {
	t.Helper()
	if err != nil {
		return
	}
	if got, err := read(write(v)); err != nil || !reflect.DeepEqual(got, v) {
		t.Fatalf("%+v comes back as %+v, %v", v, got, err)
	}
}

// FuzzValuesDecode: sealed garbage gets past the checksum, and what is then taken
// for a value is written as the same value.
func FuzzValuesDecode(f *testing.F) {
	f.Add(byte(0), []byte{1, 2})
	f.Add(byte(4), []byte{1, 0, 0, 0, 0, 0, 0, 0, 8, 4, 'm', 'a', 'i', 'n', 0})
	f.Fuzz(func(t *testing.T, which byte, payload []byte) {
		sealed := crdt.Seal(append([]byte{1}, payload...), 0)
		switch which % 7 {
		case 0:
			v, err := decodeVector(sealed)
			again(t, v, err, func(v Vector) []byte { return v.append(nil) }, decodeVector)
		case 1:
			v, err := decodeHighWater(sealed)
			again(t, v, err, func(v HighWater) []byte { return v.append(nil) }, decodeHighWater)
		case 2:
			v, err := decodeRegister(sealed)
			again(t, v, err, func(v crdt.Register) []byte { return appendRegister(nil, v) }, decodeRegister)
		case 3:
			v, err := decodeRun(sealed)
			again(t, v, err, func(v crdt.Run) []byte { return appendRun(nil, v) }, decodeRun)
		case 4:
			v, schema, err := decodeSelf(sealed)
			if err != nil || schema != SchemaVersion {
				return
			}
			again(t, v, nil, func(v Self) []byte { return v.append(nil) }, func(b []byte) (Self, error) {
				v, _, err := decodeSelf(b)
				return v, err
			})
		case 5:
			_ = decodeMarker(sealed) // has nothing in it
		case 6:
			kind, key, err := decodeIndex(payload)
			if err == nil && !bytes.Equal(append([]byte{byte(kind)}, key...), payload) {
				t.Fatalf("%x is read as kind %d of %x", payload, kind, key)
			}
		}
	})
}

// FuzzEscapedKeys: what is read as an escaped key is the escaped form of what it
// was read as, and order and prefixes of escaped keys are those of the keys.
func FuzzEscapedKeys(f *testing.F) {
	f.Add([]byte("a\x00b"), []byte("a"))
	f.Add([]byte{0, 0xff, 0, 1}, []byte{0})
	f.Add([]byte{0xff}, []byte{0xff, 0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if raw, err := unescape(nil, a); err == nil && !bytes.Equal(appendEscaped(nil, string(raw)), a) {
			t.Fatalf("%x is read as %x, which is written as %x", a, raw, appendEscaped(nil, string(raw)))
		} else if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%x: %v", a, err)
		}
		ea, eb := appendEscaped(nil, string(a)), appendEscaped(nil, string(b))
		if back, err := unescape(nil, ea); err != nil || !bytes.Equal(back, a) {
			t.Fatalf("%x comes back as %x, %v", a, back, err)
		}
		if bytes.Compare(a, b) != bytes.Compare(ea, eb) {
			t.Fatalf("%x and %x are ordered as %x and %x are not", a, b, ea, eb)
		}
		if bytes.HasPrefix(a, b) != bytes.HasPrefix(ea, appendEscapedPrefix(nil, string(b))) {
			t.Fatalf("%x is a prefix of %x, or is not, unlike their escaped forms", b, a)
		}
		if len(ea) != escapedLen(string(a)) {
			t.Fatalf("%x takes %d bytes, not %d", a, len(ea), escapedLen(string(a)))
		}
	})
}

// FuzzLog: looking for damage in a log never reads beyond it, nor finds any before
// the end of its valid beginning.
func FuzzLog(f *testing.F) {
	f.Add([]byte{}, uint32(1))
	f.Add(bytes.Repeat([]byte{1, 0, 0, 0, 4, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0}, 40), uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, number uint32) {
		off, sound := checkLog(b, number)
		if off < 0 || off > len(b)+recordBlock || !sound && off >= len(b) {
			t.Fatalf("%d bytes: %d, %v", len(b), off, sound)
		}
	})
}

// FuzzManifest: no manifest of a backup leads out of its directory.
func FuzzManifest(f *testing.F) {
	good, err := json.Marshal(BackupManifest{Version: backupVersion, Schema: SchemaVersion, Files: []BackupFile{{Name: "000001.sst", Bytes: 1, SHA256: "00"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"files":[{"name":"../m"},{"name":".."},{"name":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fsys := vfs.NewMem()
		for name, content := range map[string][]byte{backupManifest: body, backupSum: []byte(manifestSum(body))} {
			if err := writeFile(fsys, name, content); err != nil {
				t.Fatal(err)
			}
		}
		m, err := readManifest(fsys, "")
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnreadable) {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		for _, file := range m.Files {
			if file.Name == "" || file.Name == "." || file.Name == ".." || bytes.ContainsAny([]byte(file.Name), "/\x00") {
				t.Fatalf("%q is taken for the name of a file", file.Name)
			}
		}
	})
}
