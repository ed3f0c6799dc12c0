package sim

// chance is a small generator that every operation has for itself: what one
// operation draws changes nothing for the others, so that taking an operation
// out of a plan leaves the rest as it was.
type chance uint64

func (c *chance) next() uint64 {
	*c += 0x9e3779b97f4a7c15
	z := uint64(*c)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below draws from 0 … n−1.
func (c *chance) below(n int) int {
	if n <= 1 {
		return 0
	}
	return int(c.next() % uint64(n))
}

// permille is true in p of 1000 cases.
func (c *chance) permille(p int) bool { return p > 0 && int(c.next()%1000) < p }

// fork is a generator that is independent of what c draws later.
func (c *chance) fork() chance { return chance(c.next()) }
