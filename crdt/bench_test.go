package crdt

import "testing"

func benchEntry() Entry {
	return Entry{
		Kind: KindBucket,
		Key:  BucketKey{Tenant: "default", Agent: "agent:42:token"}.Encode(),
		Row:  Row{Birth: 2_000_000, Consumed: 500_000_000_000, Refunded: 1_000_000, TS: testPageTS + 40, Seq: 9_000_003},
	}
}

func BenchmarkRowAppend(b *testing.B) {
	row, buf := benchEntry().Row, make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendRow(buf[:0], row)
	}
	b.ReportMetric(float64(len(buf)), "B/row")
}

func BenchmarkRowDecode(b *testing.B) {
	buf := AppendRow(nil, benchEntry().Row)
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(buf)
		if r.Row(); r.End() != nil {
			b.Fatal(r.Err())
		}
	}
}

func BenchmarkRowJoin(b *testing.B) {
	row, sum := benchEntry().Row, uint64(0)
	next := row
	b.ReportAllocs()
	for b.Loop() {
		next.Consumed++
		var delta Delta
		row, delta = row.Join(next)
		sum += delta.Consumed
	}
	if sum == 0 {
		b.Fatal("nothing was joined")
	}
}

func BenchmarkEntryAppend(b *testing.B) {
	e, buf := benchEntry(), make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEntry(buf[:0], &e, 9_000_000, testPageTS)
	}
	b.ReportMetric(float64(len(buf)), "B/entry")
}

func BenchmarkEntryDecode(b *testing.B) {
	e := benchEntry()
	buf := AppendEntry(nil, &e, 9_000_000, testPageTS)
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(buf)
		if r.Entry(9_000_000, testPageTS); r.End() != nil {
			b.Fatal(r.Err())
		}
	}
}

func BenchmarkFrameOpen(b *testing.B) {
	frame := Seal(AppendRow([]byte{1}, benchEntry().Row), 0)
	b.ReportAllocs()
	for b.Loop() {
		r, err := Open(frame, 1)
		if err != nil {
			b.Fatal(err)
		}
		r.Row()
	}
}

func BenchmarkClockNow(b *testing.B) {
	c := NewClock()
	b.ReportAllocs()
	for b.Loop() {
		c.Now(testPageTS)
	}
}

func BenchmarkBucketKeyParse(b *testing.B) {
	key := benchEntry().Key
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBucketKey(key); err != nil {
			b.Fatal(err)
		}
	}
}

// The hot codecs stay off the heap: a flush or a merge page passes thousands of
// rows through them.
func TestHotCodecsDoNotAllocate(t *testing.T) {
	e, buf := benchEntry(), make([]byte, 0, 128)
	row := AppendRow(nil, e.Row)
	frame := Seal(AppendRow([]byte{1}, e.Row), 0)
	for name, f := range map[string]func(){
		"append row":   func() { buf = AppendRow(buf[:0], e.Row) },
		"decode row":   func() { NewReader(row).Row() },
		"append entry": func() { buf = AppendEntry(buf[:0], &e, 1, 1) },
		"seal":         func() { buf = Seal(AppendRow(append(buf[:0], 1), e.Row), 0) },
		"open": func() {
			if r, err := Open(frame, 1); err == nil {
				r.Row()
			}
		},
		"parse key": func() { _, _ = ParseBucketKey(e.Key) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
