package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/openclaw/clawd/crdt"
)

// exported is a transfer of a store with something in every space, and what an
// importer should have of it.
func exported(t testing.TB) (stream []byte, want []string) {
	t.Helper()
	s := mustNew(t, NewMemory())
	w := newWorkload(t, 30)
	for range 60 {
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.InitSelf(Self{Node: 8}); err != nil {
		t.Fatal(err)
	}
	commit(t, s, false, func(b *Batch) {
		b.PutRun(crdt.Run{Origin: ownRun, Node: 8})
		b.PutCurrentRun(crdt.Run{Origin: ownRun, Node: 8})
		b.PutHighWater("own", HighWater{Birth: 1})
		b.PutForgotten(5)
		b.PutRegister("big", crdt.Register{Value: make([]byte, crdt.MaxValueBytes), Version: 1})
	})
	for _, line := range dump(t, s.engine) {
		if own := strings.HasPrefix(line, `"m/`) || strings.HasPrefix(line, `"h/`); !own {
			want = append(want, line)
		}
	}
	view, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, view)
	var buf bytes.Buffer
	if err := Export(view, &buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), want
}

func TestTransfer(t *testing.T) {
	stream, want := exported(t)
	e := NewMemory()
	s := mustNew(t, e)
	var told int64
	if err := Import(s, bytes.NewReader(stream), func(n int64) { told = n }); err != nil {
		t.Fatal(err)
	}
	s = mustNew(t, e.Crash(nil)) // it is durable
	if got := dump(t, s.engine); !slices.Equal(got, want) {
		t.Errorf("imported %d records, want %d", len(got), len(want))
	}
	if unfinished, err := ImportUnfinished(s); unfinished || err != nil {
		t.Errorf("unfinished: %v, %v", unfinished, err)
	}
	if told == 0 || told > int64(len(stream)) {
		t.Errorf("progress was told %d of %d bytes", told, len(stream))
	}
}

// A transfer that is cut or damaged anywhere is refused and known to be
// unfinished, across a crash too.
func TestBadTransferIsUnfinished(t *testing.T) {
	stream, _ := exported(t)
	try := func(name string, bad []byte) {
		t.Helper()
		e := NewMemory()
		if err := Import(mustNew(t, e), bytes.NewReader(bad), nil); err == nil {
			t.Errorf("%s: taken", name)
		}
		if unfinished, err := ImportUnfinished(mustNew(t, e.Crash(nil))); !unfinished || err != nil {
			t.Errorf("%s: unfinished %v, %v", name, unfinished, err)
		}
	}
	step := len(stream)/97 + 1
	for at := 0; at < len(stream); at += step {
		try("cut", stream[:at])
		damaged := bytes.Clone(stream)
		damaged[at] ^= 0x20
		try("damaged", damaged)
	}
	try("one byte short", stream[:len(stream)-1])
}

func TestTransferRefusesForeignKeys(t *testing.T) {
	for _, key := range []string{selfKey, currentRunKey, forgottenSpace + "12345678", "h/k\x00\x01", "b/", "x"} {
		chunk := crdt.AppendBytes(crdt.AppendString([]byte{chunkVersion}, key), []byte("v"))
		chunk = crdt.Seal(chunk, 0)
		end := crdt.Seal([]byte{endVersion, 1}, 0)
		stream := []byte(transferMagic)
		stream = append(binary.AppendUvarint(stream, uint64(len(chunk))), chunk...)
		stream = append(binary.AppendUvarint(stream, uint64(len(end))), end...)
		s := mustNew(t, NewMemory())
		if err := Import(s, bytes.NewReader(stream), nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: %v", key, err)
		}
		if _, found, _ := s.engine.Get([]byte(key), nil); found {
			t.Errorf("%q was written", key)
		}
	}
}

// FuzzImport must not panic, nor allocate more than a chunk for what it is told.
func FuzzImport(f *testing.F) {
	f.Add([]byte{1, 2, 3})
	f.Add(binary.AppendUvarint(nil, maxChunkBytes))
	f.Fuzz(func(t *testing.T, rest []byte) {
		s := mustNew(t, NewMemory())
		stream := append([]byte(transferMagic), rest...)
		if err := Import(s, bytes.NewReader(stream), nil); err == nil {
			if _, err := s.Vectors(); err != nil {
				t.Logf("values are the donor's to vouch for: %v", err)
			}
		}
	})
}
