package accuracy

import "math"

// pythonRandom draws what Python's random.Random(seed).random() draws (MT19937,
// 53 bits), so that the simulations of the design can be repeated number for
// number.
type pythonRandom struct {
	mt  [624]uint32
	pos int
}

func newPythonRandom(seed uint32) *pythonRandom {
	r := &pythonRandom{pos: 624}
	mt := &r.mt
	mt[0] = 19650218
	for i := 1; i < 624; i++ {
		mt[i] = 1812433253*(mt[i-1]^mt[i-1]>>30) + uint32(i)
	}
	i := 1
	for range 624 {
		mt[i] = (mt[i] ^ (mt[i-1]^mt[i-1]>>30)*1664525) + seed
		if i++; i == 624 {
			mt[0], i = mt[623], 1
		}
	}
	for range 623 {
		mt[i] = (mt[i] ^ (mt[i-1]^mt[i-1]>>30)*1566083941) - uint32(i)
		if i++; i == 624 {
			mt[0], i = mt[623], 1
		}
	}
	mt[0] = 0x80000000
	return r
}

func (r *pythonRandom) uint32() uint32 {
	if r.pos == 624 {
		for i := range r.mt {
			y := r.mt[i]&0x80000000 | r.mt[(i+1)%624]&0x7fffffff
			r.mt[i] = r.mt[(i+397)%624] ^ y>>1 ^ (y&1)*0x9908b0df
		}
		r.pos = 0
	}
	y := r.mt[r.pos]
	r.pos++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (r *pythonRandom) float64() float64 {
	a, b := r.uint32()>>5, r.uint32()>>6
	return (float64(a)*67108864 + float64(b)) / 9007199254740992
}

// poisson is Knuth's method, draw for draw as in the model.
func (r *pythonRandom) poisson(mean float64) int {
	if mean <= 0 {
		return 0
	}
	limit, k, p := math.Exp(-mean), 0, r.float64()
	for p > limit {
		k++
		p *= r.float64()
	}
	return k
}
