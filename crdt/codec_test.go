package crdt

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const goldenFile = "testdata/golden.txt"

var update = flag.Bool("update", false, "rewrite "+goldenFile)

const (
	testPrevSeq = 41
	testPageTS  = 1_700_000_000_000
)

// codec is an encoder with its decoder; values are handled as any, so that all
// tests of formats run over one list.
type codec struct {
	name   string
	append func(b []byte, v any) []byte
	read   func(d *Reader) any
	draw   func(t *rapid.T) any
}

func codecOf[T any](name string, add func([]byte, T) []byte, read func(*Reader) T, gen *rapid.Generator[T]) codec {
	return codec{
		name:   name,
		append: func(b []byte, v any) []byte { return add(b, v.(T)) },
		read:   func(d *Reader) any { return read(d) },
		draw:   func(t *rapid.T) any { return gen.Draw(t, name) },
	}
}

var codecs = []codec{
	codecOf("row", AppendRow, (*Reader).Row, anyRow()),
	codecOf("register", AppendRegister, (*Reader).Register, anyRegister()),
	codecOf("run", AppendRun, (*Reader).Run, anyRun()),
	codecOf("version vector", AppendVersionVector, (*Reader).VersionVector, anyVector()),
	codecOf("total", AppendTotal, (*Reader).Total, anyTotal()),
	codecOf("entry",
		func(b []byte, e Entry) []byte { return AppendEntry(b, &e, testPrevSeq, testPageTS) },
		func(d *Reader) Entry { return d.Entry(testPrevSeq, testPageTS) },
		anyEntry()),
}

func codecNamed(name string) codec {
	i := slices.IndexFunc(codecs, func(c codec) bool { return c.name == name })
	return codecs[i]
}

// normal maps what an encoding does not tell apart (nil and empty) to one form.
func normal(v any) any {
	empty := func(r *Register) {
		if len(r.Value) == 0 {
			r.Value = nil
		}
	}
	switch v := v.(type) {
	case Register:
		empty(&v)
		return v
	case Entry:
		empty(&v.Register)
		return v
	}
	return v
}

func TestCodecRoundTrip(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, rapid.MakeCheck(func(t *rapid.T) {
			v := c.draw(t)
			prefix := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "prefix")
			b := c.append(bytes.Clone(prefix), v)
			if !bytes.HasPrefix(b, prefix) {
				t.Fatal("append wrote over what was there")
			}
			r := NewReader(b[len(prefix):])
			got := c.read(r)
			if err := r.End(); err != nil || !reflect.DeepEqual(normal(got), normal(v)) {
				t.Fatalf("%+v came back as %+v, %v", v, got, err)
			}
		}))
	}
}

// Every proper prefix of an encoding is an error and yields nothing.
func TestCodecTruncated(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, rapid.MakeCheck(func(t *rapid.T) {
			b := c.append(nil, c.draw(t))
			cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
			r := NewReader(b[:cut])
			if got := c.read(r); !errors.Is(r.Err(), ErrTruncated) || !isZero(got) {
				t.Fatalf("%d of %d bytes gave %+v, %v", cut, len(b), got, r.Err())
			}
		}))
	}
}

func isZero(v any) bool { return reflect.ValueOf(v).IsZero() }

// goldenValues are encoded in testdata. A change there is a change of a format:
// data on disks and nodes of the version before will not be read any more.
func goldenValues() []goldenValue {
	row := Row{Birth: 70_001, Consumed: 1_234_567_890, Refunded: 5_000_000, TS: 1_700_000_000_123, Seq: 70_300}
	register := Register{
		Value: []byte("v1"), Meta: "text/plain", Version: NewHLC(1_700_000_000_123, 2), Writer: 0xa1,
		ExpiresAt: 1_700_000_060_000, Origin: 0xb2, Gen: 1, Seq: 300,
	}
	tombstone := Register{Deleted: true, Version: NewHLC(1_700_000_000_124, 0), Writer: 0xa1, Origin: 0xb2, Seq: 42}
	run := Run{Origin: 0xb2, Node: 0xa1, Name: "node-a", Started: NewHLC(1_700_000_000_000, 1)}
	sealed := run
	sealed.SealedAt, sealed.Final = 1_700_000_500_000, 4711
	key := BucketKey{Tenant: "default", Agent: "agent:42:tokens"}.Encode()
	return []goldenValue{
		{"row", "row", row},
		{"row zero", "row", Row{}},
		{"row greatest", "row", Row{math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxInt64, math.MaxUint64}},
		{"register", "register", register},
		{"register tombstone", "register", tombstone},
		{"run live", "run", run},
		{"run sealed", "run", sealed},
		{"version vector empty", "version vector", VersionVector{}},
		{"version vector", "version vector", VersionVector{3: 1, 1: 128, math.MaxUint64: 5}},
		{"total", "total", Total{Consumed: Uint128{1, 2}, Refunded: Uint128{0, 300}}},
		{"entry bucket", "entry", Entry{Kind: KindBucket, Key: key, Row: row}},
		{"entry counter", "entry", Entry{Kind: KindCounter, Key: CounterKey{Tenant: "t", Name: "hits", Epoch: 9}.Encode(), Row: row}},
		{"entry register", "entry", Entry{Kind: KindRegister, Key: RegisterKey{SpaceKV, "t", "a/b"}.Encode(), Register: register}},
	}
}

type goldenValue struct {
	name, codec string
	value       any
}

func TestGoldenBytes(t *testing.T) {
	var text strings.Builder
	text.WriteString("# Encodings by name, in hex. Rewrite: go test ./crdt -run Golden -update; read the diff before you commit it.\n")
	for _, g := range goldenValues() {
		fmt.Fprintf(&text, "%s: %x\n", g.name, codecNamed(g.codec).append(nil, g.value))
	}
	fmt.Fprintf(&text, "frame: %x\n", Seal(AppendRow([]byte{1}, Row{1, 2, 3, 4, 5}), 0))
	fmt.Fprintf(&text, "bucket key: %x\n", BucketKey{"t", "a", 300, "\x01\x02"}.Encode())
	if *update {
		if err := os.WriteFile(goldenFile, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("the format has changed: got\n%swant\n%s", text.String(), want)
	}
}

// The bytes of the file, not only those of today's encoder, still read as the
// values they were written from.
func TestGoldenBytesAreRead(t *testing.T) {
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		stored[name] = value
	}
	for _, g := range goldenValues() {
		b, err := hex.DecodeString(stored[g.name])
		if err != nil {
			t.Fatal(err)
		}
		r := NewReader(b)
		got := codecNamed(g.codec).read(r)
		if err := r.End(); err != nil || !reflect.DeepEqual(normal(got), normal(g.value)) {
			t.Errorf("%s reads as %+v, %v; want %+v", g.name, got, err, g.value)
		}
	}
}

// An entry of a page is small: the key, and not much more than 20 bytes.
func TestEntrySize(t *testing.T) {
	const tokens = 1_000_000
	agent := BucketKey{Tenant: "default", Agent: "agent:42:token"}.Encode()
	if len(agent) != 24 {
		t.Fatalf("the fixture is a key of %d bytes", len(agent))
	}
	e := Entry{Kind: KindBucket, Key: agent, Row: Row{
		Birth: 2_000_000, Consumed: 500_000 * tokens, Refunded: 0, TS: testPageTS, Seq: 9_000_003,
	}}
	if size := len(AppendEntry(nil, &e, 9_000_000, testPageTS)); size > 45 {
		t.Errorf("%d bytes", size)
	}
}

// A run known up to 0 is a run not known of: both vectors are the same bytes.
func TestVersionVectorLeavesOutZeros(t *testing.T) {
	if got := AppendVersionVector(nil, VersionVector{7: 0}); !bytes.Equal(got, []byte{0}) {
		t.Errorf("%x", got)
	}
}

// prevSeq and pageTS only shrink the numbers: any pair brings the entry back.
func TestEntryDeltasAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEntry().Draw(t, "entry")
		prev, ts := number().Draw(t, "prevSeq"), rapid.Int64().Draw(t, "pageTS")
		r := NewReader(AppendEntry(nil, &e, prev, ts))
		if got := r.Entry(prev, ts); r.End() != nil || !reflect.DeepEqual(normal(got), normal(e)) {
			t.Fatalf("%+v came back as %+v, %v", e, got, r.Err())
		}
		if e.Seq() != max(e.Row.Seq, e.Register.Seq) {
			t.Fatalf("Seq = %d of %+v", e.Seq(), e)
		}
	})
}

// One value, one encoding: whatever else would decode to the same is refused.
func TestOtherSpellingsAreCorrupt(t *testing.T) {
	register := AppendRegister(nil, Register{})
	const flagsAt = 8 + 8
	badFlag := bytes.Clone(register)
	badFlag[flagsAt] = 2
	longGen := append(bytes.Clone(register[:len(register)-2]), 0x80, 0x80, 0x80, 0x80, 0x10, 0)

	origin := func(o uint64, seq byte) []byte { return append(binary.BigEndian.AppendUint64(nil, o), seq) }
	for _, c := range []struct {
		name  string
		codec string
		bytes []byte
	}{
		{"varint with a needless byte", "row", []byte{0x81, 0x00, 0, 0, 0, 0}},
		{"varint of 65 bits", "row", append(bytes.Repeat([]byte{0xff}, 9), 2, 0, 0, 0, 0)},
		{"unknown flag", "register", badFlag},
		{"gen beyond 32 bits", "register", longGen},
		{"vector out of order", "version vector", bytes.Join([][]byte{{2}, origin(2, 1), origin(1, 1)}, nil)},
		{"vector with a run twice", "version vector", bytes.Join([][]byte{{2}, origin(2, 1), origin(2, 2)}, nil)},
		{"vector with a seq of 0", "version vector", bytes.Join([][]byte{{1}, origin(2, 0)}, nil)},
		{"entry of no kind", "entry", []byte{'x', 0, 0, 0, 0, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReader(c.bytes)
			if got := codecNamed(c.codec).read(r); !errors.Is(r.Err(), ErrCorrupt) || !isZero(got) {
				t.Errorf("got %+v, %v", got, r.Err())
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	key, meta, value := strings.Repeat("k", MaxKeyBytes+1), strings.Repeat("m", MaxMetaBytes+1), make([]byte, MaxValueBytes+1)
	entry := Entry{Kind: KindBucket, Key: key}
	for name, r := range map[string]*Reader{
		"key":   NewReader(AppendEntry(nil, &entry, 0, 0)),
		"meta":  NewReader(AppendRegister(nil, Register{Meta: meta})),
		"value": NewReader(AppendRegister(nil, Register{Value: value})),
		"name":  NewReader(AppendRun(nil, Run{Name: strings.Repeat("n", MaxNameBytes+1)})),
	} {
		switch name {
		case "key":
			r.Entry(0, 0)
		case "name":
			r.Run()
		default:
			r.Register()
		}
		if !errors.Is(r.Err(), ErrTooLarge) {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
	fits := NewReader(AppendRegister(nil, Register{Value: value[:MaxValueBytes], Meta: meta[:MaxMetaBytes]}))
	if fits.Register(); fits.End() != nil {
		t.Errorf("at the limit: %v", fits.Err())
	}
}

// A few bytes that claim to be followed by a great many cost next to nothing.
func TestClaimedLengthsAllocateNothing(t *testing.T) {
	const rounds, bytesEach = 100, 1024
	huge := binary.AppendUvarint(nil, 1<<22)           // what the runtime would really reserve
	almost := binary.AppendUvarint(nil, MaxValueBytes) // within its limit, but not there
	head := AppendRegister(nil, Register{})[:8+8+1+1+1]
	for name, read := range map[string]func(){
		"vector":      func() { NewReader(huge).VersionVector() },
		"count":       func() { NewReader(huge).Count(1) },
		"bytes":       func() { NewReader(huge).Bytes(math.MaxInt) },
		"string":      func() { _ = NewReader(almost).String(MaxValueBytes) },
		"value":       func() { NewReader(append(bytes.Clone(head), almost...)).Register() },
		"entry's key": func() { NewReader(append([]byte{'b'}, huge...)).Entry(0, 0) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			read()
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / rounds; got > bytesEach {
			t.Errorf("%s: %d bytes allocated", name, got)
		}
	}
}

// What was decoded does not change when the buffer is used again.
func TestDecodedValuesAreCopies(t *testing.T) {
	e := Entry{Kind: KindRegister, Key: "key", Register: Register{Value: []byte("value"), Meta: "meta"}}
	b := AppendEntry(nil, &e, 0, 0)
	got := NewReader(b).Entry(0, 0)
	clear(b)
	if got.Key != "key" || string(got.Register.Value) != "value" || got.Register.Meta != "meta" {
		t.Errorf("got %+v", got)
	}
}
