package crdt

import "testing"

func TestRegisterJoinTable(t *testing.T) {
	stored := Register{
		Value: []byte("m"), Meta: "m", Version: 10, Writer: 5, ExpiresAt: 100,
		Origin: 7, Gen: 1, Seq: 30,
	}
	with := func(change func(*Register)) Register {
		r := stored
		change(&r)
		return r
	}
	for _, c := range []struct {
		name         string
		other        Register
		wins         bool
		value, index bool
	}{
		{"the same", stored, false, false, false},
		{"nothing", Register{}, false, false, false},
		{"later version", with(func(r *Register) { r.Version++; r.Value = nil; r.Seq++ }), true, true, true},
		{"earlier version", with(func(r *Register) { r.Version--; r.Writer = 99; r.Seq++ }), false, false, false},
		{"greater writer", with(func(r *Register) { r.Writer++; r.Value = nil }), true, true, false},
		{"deletion beats a value", with(func(r *Register) { r.Deleted = true; r.Value = nil }), true, true, false},
		{"greater value", with(func(r *Register) { r.Value = []byte("n") }), true, true, false},
		{"smaller value", with(func(r *Register) { r.Value = []byte("a"); r.Meta = "z" }), false, false, false},
		{"greater meta", with(func(r *Register) { r.Meta = "z" }), true, true, false},
		{"later expiry", with(func(r *Register) { r.ExpiresAt++ }), true, true, false},
		{"published again by a successor", with(func(r *Register) { r.Gen++; r.Origin = 1; r.Seq = 1 }), true, false, true},
		{"published again by two", with(func(r *Register) { r.Origin++; r.Seq = 1 }), true, false, true},
		{"old publication", with(func(r *Register) { r.Gen--; r.Origin++ }), false, false, false},
		{"same run, later seq", with(func(r *Register) { r.Seq++ }), true, false, true},
		{"same run, earlier seq", with(func(r *Register) { r.Seq-- }), false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			joined, value, index := stored.Join(c.other)
			want := stored
			if c.wins {
				want = c.other
			}
			if !joined.Equal(want) || value != c.value || index != c.index {
				t.Errorf("got %+v value=%v index=%v, want %+v value=%v index=%v",
					joined, value, index, want, c.value, c.index)
			}
		})
	}
}

func TestRegisterVisible(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Register
		want bool
	}{
		{"never written", Register{}, false},
		{"written", Register{Version: 1}, true},
		{"deleted", Register{Version: 1, Deleted: true}, false},
		{"before expiry", Register{Version: 1, ExpiresAt: 51}, true},
		{"at expiry", Register{Version: 1, ExpiresAt: 50}, false},
	} {
		if got := c.r.Visible(50); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A write from before an expiry that arrives after it is the value everywhere, no
// matter which node saw what in time.
func TestLateWriteOutlivesAnExpiredOne(t *testing.T) {
	short := Register{Value: []byte("short"), Version: NewHLC(100, 0), ExpiresAt: 200}
	later := Register{Value: []byte("later"), Version: NewHLC(150, 0)}
	for _, order := range [][]Register{{short, later}, {later, short}} {
		var r Register
		for _, o := range order {
			r, _, _ = r.Join(o)
		}
		if !r.Visible(300) || string(r.Value) != "later" {
			t.Errorf("got %+v", r)
		}
	}
}
