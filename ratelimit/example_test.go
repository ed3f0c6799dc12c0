package ratelimit_test

import (
	"fmt"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

func Example() {
	policy := ratelimit.Policy{
		Name:            "chat",
		Capacity:        5,
		RefillRate:      ratelimit.Whole(1),
		IntervalSeconds: ratelimit.Whole(2),
	}
	if err := policy.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	limit := policy.Limit()
	chat := &ratelimit.Compiled{Policy: policy, Limit: limit}

	now := int64(time.Second) // any monotonic clock
	bucket := ratelimit.NewBucket(now, &limit, nil)
	for _, tokens := range []int64{4, 2} {
		d := bucket.Decide(now, chat, nil, tokens*ratelimit.Token)
		fmt.Println(d.Allowed, d.Remaining/ratelimit.Token, d.RetryAfter)
	}

	// A peer reports that it has let through one token more than before.
	view := &ratelimit.View{Peers: []*ratelimit.Peer{ratelimit.NewPeer(7, now)}, Members: 2}
	bucket.Observe(now, &limit, view, 0, 1*ratelimit.Token)
	fmt.Println(bucket.Level(now, &limit, view) / ratelimit.Token)
	// Output:
	// true 1 0s
	// false 1 2s
	// 0
}
