package node

import "testing"

func TestGCPercent(t *testing.T) {
	for _, c := range []struct {
		live int64
		want int
	}{
		{0, mostGCPercent},
		{4 << 20, mostGCPercent},
		{48 << 20, 100},
		{240 << 20, 20},
		{1 << 40, leastGCPercent},
	} {
		if got := gcPercent(48<<20, c.live); got != c.want {
			t.Errorf("with %d MiB alive: %d %%, want %d", c.live>>20, got, c.want)
		}
	}
}
