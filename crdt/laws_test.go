package crdt

import (
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// lattice is what the laws need of a type.
type lattice[T any] struct {
	any   func() *rapid.Generator[T]
	join  func(a, b T) T // must leave both arguments as they are
	equal func(a, b T) bool
	zero  T
}

func (l lattice[T]) check(t *testing.T) {
	t.Helper()
	law := func(name string, holds func(a, b, c T) (T, T)) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				a, b, c := l.any().Draw(t, "a"), l.any().Draw(t, "b"), l.any().Draw(t, "c")
				if left, right := holds(a, b, c); !l.equal(left, right) {
					t.Fatalf("not %s:\n%+v\n%+v", name, left, right)
				}
			})
		})
	}
	law("commutative", func(a, b, _ T) (T, T) { return l.join(a, b), l.join(b, a) })
	law("associative", func(a, b, c T) (T, T) {
		return l.join(l.join(a, b), c), l.join(a, l.join(b, c))
	})
	law("idempotent", func(a, b, _ T) (T, T) {
		ab := l.join(a, b)
		return l.join(ab, b), ab
	})
	law("zero is neutral", func(a, _, _ T) (T, T) { return l.join(l.zero, a), a })
}

func TestRowLaws(t *testing.T) {
	lattice[Row]{
		any:   anyRow,
		join:  func(a, b Row) Row { j, _ := a.Join(b); return j },
		equal: func(a, b Row) bool { return a == b },
	}.check(t)
}

func TestRegisterLaws(t *testing.T) {
	lattice[Register]{
		any:   closeRegister,
		join:  func(a, b Register) Register { j, _, _ := a.Join(b); return j },
		equal: identical,
	}.check(t)
}

// identical compares every field without help of the order under test.
func identical(a, b Register) bool {
	a.Value, b.Value = append([]byte{}, a.Value...), append([]byte{}, b.Value...)
	return reflect.DeepEqual(a, b)
}

func TestRegisterEqualMeansIdentical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := closeRegister().Draw(t, "a"), closeRegister().Draw(t, "b")
		if a.Equal(b) != identical(a, b) {
			t.Fatalf("Equal = %v for\n%+v\n%+v", a.Equal(b), a, b)
		}
	})
}

func TestRunLaws(t *testing.T) {
	lattice[Run]{
		any:   anyRun,
		join:  func(a, b Run) Run { j, _ := a.Join(b); return j },
		equal: func(a, b Run) bool { return a == b },
	}.check(t)
}

func TestVersionVectorLaws(t *testing.T) {
	lattice[VersionVector]{
		any: anyVector,
		join: func(a, b VersionVector) VersionVector {
			j := a.Clone()
			j.Merge(b)
			return j
		},
		equal: func(a, b VersionVector) bool { return maps.Equal(a, b) },
	}.check(t)
}

func TestPNLaws(t *testing.T) {
	lattice[PN]{
		any: anyPN,
		join: func(a, b PN) PN {
			j := a.Clone()
			j.Join(b)
			return j
		},
		equal: func(a, b PN) bool { return maps.Equal(a, b) },
	}.check(t)
}

func TestGCounterLaws(t *testing.T) {
	lattice[GCounter]{
		any: func() *rapid.Generator[GCounter] {
			return rapid.Custom(func(t *rapid.T) GCounter {
				return GCounter(rapid.MapOfN(originID(), rapid.Uint64Min(1), 0, 4).Draw(t, "counter"))
			})
		},
		join: func(a, b GCounter) GCounter {
			j := GCounter{}
			j.Join(a)
			j.Join(b)
			return j
		},
		equal: func(a, b GCounter) bool { return maps.Equal(a, b) },
	}.check(t)
}

// A join tells its news exactly: Changed (or its like) is true when and only when
// the result differs, and the same value is never news twice.
func TestJoinsReportNews(t *testing.T) {
	t.Run("row", rapid.MakeCheck(func(t *rapid.T) {
		a, b := anyRow().Draw(t, "a"), anyRow().Draw(t, "b")
		joined, delta := a.Join(b)
		if delta.Changed != (joined != a) {
			t.Fatalf("Changed = %v for %+v -> %+v", delta.Changed, a, joined)
		}
		if again, news := joined.Join(b); again != joined || news != (Delta{}) {
			t.Fatalf("second join brought %+v", news)
		}
		if _, news := joined.Join(a); news != (Delta{}) {
			t.Fatalf("what was replaced is news again: %+v", news)
		}
	}))
	t.Run("register", rapid.MakeCheck(func(t *rapid.T) {
		a, b := closeRegister().Draw(t, "a"), closeRegister().Draw(t, "b")
		joined, value, index := a.Join(b)
		valueOf := func(r Register) Register { r.Origin, r.Gen, r.Seq = 0, 0, 0; return r }
		indexOf := func(r Register) Register { return Register{Origin: r.Origin, Gen: r.Gen, Seq: r.Seq} }
		if value == identical(valueOf(joined), valueOf(a)) || index == identical(indexOf(joined), indexOf(a)) {
			t.Fatalf("value=%v index=%v for %+v -> %+v", value, index, a, joined)
		}
		if _, value, index := joined.Join(b); value || index {
			t.Fatal("second join brought news")
		}
	}))
	t.Run("run", rapid.MakeCheck(func(t *rapid.T) {
		a, b := anyRun().Draw(t, "a"), anyRun().Draw(t, "b")
		joined, changed := a.Join(b)
		if changed != (joined != a) {
			t.Fatalf("changed = %v for %+v -> %+v", changed, a, joined)
		}
	}))
	t.Run("version vector", rapid.MakeCheck(func(t *rapid.T) {
		a, b := anyVector().Draw(t, "a"), anyVector().Draw(t, "b")
		joined := a.Clone()
		if changed := joined.Merge(b); changed == a.Covers(b) {
			t.Fatalf("changed = %v, though a covers b = %v", changed, a.Covers(b))
		}
		if !joined.Covers(a) || !joined.Covers(b) {
			t.Fatalf("%v does not cover %v and %v", joined, a, b)
		}
	}))
	t.Run("counter", rapid.MakeCheck(func(t *rapid.T) {
		a, b := anyPN().Draw(t, "a"), anyPN().Draw(t, "b")
		a.Join(b)
		if added := a.Join(b); added != (Total{}) {
			t.Fatalf("second join added %+v", added)
		}
	}))
}

func TestRowJoinTable(t *testing.T) {
	old := Row{Birth: 3, Consumed: 100, Refunded: 10, TS: 50, Seq: 9}
	for _, c := range []struct {
		name  string
		other Row
		want  Row
		delta Delta
	}{
		{"more of both", Row{3, 130, 12, 60, 11}, Row{3, 130, 12, 60, 11}, Delta{30, 2, true}},
		{"older copy", Row{3, 40, 0, 20, 4}, old, Delta{}},
		{"concurrent counters", Row{3, 120, 5, 55, 10}, Row{3, 120, 10, 55, 10}, Delta{20, 0, true}},
		{"later flush without change", Row{3, 100, 10, 70, 12}, Row{3, 100, 10, 70, 12}, Delta{0, 0, true}},
		{"next generation counts whole", Row{12, 7, 1, 90, 12}, Row{12, 7, 1, 90, 12}, Delta{7, 1, true}},
		{"earlier generation is void", Row{2, 900, 0, 10, 2}, old, Delta{}},
		{"no row", Row{}, old, Delta{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, delta := old.Join(c.other)
			if got != c.want || delta != c.delta {
				t.Errorf("got %+v %+v, want %+v %+v", got, delta, c.want, c.delta)
			}
		})
	}
}

func TestRunIsSealedOnceAndForAll(t *testing.T) {
	live := Run{Origin: 1, Node: 2, Name: "a", Started: NewHLC(5, 0)}
	early, late := live, live
	early.SealedAt, early.Final = 100, 7
	late.SealedAt, late.Final = 200, 9

	got, changed := late.Join(early)
	if !changed || got.SealedAt != 100 || got.Final != 9 {
		t.Errorf("two seals joined to %+v", got)
	}
	if got, changed := got.Join(live); changed || !got.Sealed() {
		t.Errorf("a live copy reopened the run: %+v", got)
	}
}
