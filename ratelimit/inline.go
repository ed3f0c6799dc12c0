package ratelimit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrInvalidInline is the kind of every error of ParseInline.
var ErrInvalidInline = errors.New("invalid inline policy")

// inlineName is what a policy is called that came with its request.
const inlineName = "inline"

// AppendInline appends the self-describing form of l that is part of a bucket's
// key: capacity in tokens, RateNum, RateDen, each a varint. All else of an
// inline policy is default, so equal limits are equal bytes and every peer can
// fold the bucket from its key alone.
func (l Limit) AppendInline(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(l.Capacity/Token))
	b = binary.AppendUvarint(b, l.RateNum)
	return binary.AppendUvarint(b, l.RateDen)
}

// ParseInline reads what AppendInline wrote, and only that: a limit that no
// valid policy has, or a second way to write one, is an error.
func ParseInline(s string) (Limit, error) {
	rest := s
	capacity, ok1 := cutUvarint(&rest)
	num, ok2 := cutUvarint(&rest)
	den, ok3 := cutUvarint(&rest)
	if !ok1 || !ok2 || !ok3 || rest != "" {
		return Limit{}, fmt.Errorf("%w: want three varints", ErrInvalidInline)
	}
	if capacity > MaxTokens || num > maxMicro || den == 0 || den > maxMicro*1000 {
		return Limit{}, fmt.Errorf("%w: number out of range", ErrInvalidInline)
	}
	p := inlinePolicy(int64(capacity), num, den)
	if err := p.Validate(); err != nil {
		return Limit{}, fmt.Errorf("%w: %w", ErrInvalidInline, err)
	}
	l := p.Limit()
	if l.RateNum != num || l.RateDen != den {
		return Limit{}, fmt.Errorf("%w: rate is not reduced", ErrInvalidInline)
	}
	return l, nil
}

// CompileInline returns l as the policy it stands for.
func CompileInline(l Limit) *Compiled {
	return &Compiled{Policy: inlinePolicy(l.Capacity/Token, l.RateNum, l.RateDen), Limit: l}
}

// inlinePolicy undoes Policy.Limit: the smallest R and I in millionths with
// R/(I·1000) = num/den. Any other policy of this rate is a multiple of it, so
// if one is valid, this one is. What overflows is left negative, for Validate
// to refuse.
func inlinePolicy(capacity int64, num, den uint64) Policy {
	k := 1000 / gcd(den, 1000)
	rate := int64(-1)
	if num <= math.MaxInt64/k {
		rate = int64(num * k)
	}
	return Policy{
		Name:            inlineName,
		Capacity:        capacity,
		RefillRate:      Decimal(rate),
		IntervalSeconds: Decimal(den / gcd(den, 1000)),
	}
}

// cutUvarint takes a varint in its shortest form off the front of s.
func cutUvarint(s *string) (uint64, bool) {
	var v uint64
	for i := 0; i < len(*s) && i < binary.MaxVarintLen64; i++ {
		c := (*s)[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			return 0, false
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			*s = (*s)[i+1:]
			return v, i == 0 || c != 0
		}
	}
	return 0, false
}
