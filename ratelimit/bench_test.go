package ratelimit

import (
	"fmt"
	"testing"
)

func BenchmarkAdmit(b *testing.B) {
	for _, peers := range []int{0, 2, 9, 49} {
		for _, states := range []bool{false, true} {
			if peers == 0 && states {
				continue
			}
			b.Run(fmt.Sprintf("peers=%d/consuming=%v", peers, states), func(b *testing.B) {
				b.ReportAllocs()
				l := tenASecond()
				v := newView(peers, 1)
				bucket := NewBucket(1, &l, v)
				if states {
					bucket, v, _ = steady(&l, make([]int64, peers)...)
					for i := range bucket.peers {
						bucket.peers[i].s = bucket.peers[i].w * 1e-4
					}
				}
				now := bucket.last / sec * sec
				var admitted int
				for b.Loop() {
					now += 1_000_000
					if now%100_000_000 == 0 && peers > 0 {
						heardAll(v, now, int(now/100_000_000)%peers)
					}
					if bucket.Admit(now, &l, v, Token/100) {
						admitted++
					}
				}
				b.ReportMetric(float64(admitted)/float64(b.N), "admitted/op")
			})
		}
	}
}

func BenchmarkDecideDenied(b *testing.B) {
	b.ReportAllocs()
	c := &Compiled{Policy: Policy{Name: "ten"}, Limit: tenASecond()}
	bucket := NewBucket(1, &c.Limit, nil)
	now := int64(1)
	for b.Loop() {
		now++
		bucket.Decide(now, c, nil, 100*Token)
	}
}

func BenchmarkObserve(b *testing.B) {
	b.ReportAllocs()
	l := tenASecond()
	bucket, v := known(&l, 9)
	now := int64(1)
	for i := 0; b.Loop(); i++ {
		now += 11_000_000
		bucket.Observe(now, &l, v, i%9, Token/10)
		v.Peers[i%9].Heard.Store(now)
	}
}
