package ratelimit

import "time"

// Decision is the answer to one request to spend tokens. A denial is a Decision
// and not an error.
type Decision struct {
	Allowed    bool
	Policy     string        // name of the policy that decided
	Tokens     int64         // asked for, µtok
	Capacity   int64         // of the bucket, µtok
	Remaining  int64         // left after this decision, µtok, never negative
	RetryAfter time.Duration // until Tokens could be had; 0 when allowed
	Reset      time.Duration // until the bucket is full
	Window     time.Duration // time from empty to full
}
