package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeValue is a number of bytes as people write it: 64MiB, 1GiB, 500MB, 1024.
type sizeValue int64

// sizeUnits in the order in which String prefers them; the shorter suffixes
// come last, since "B" ends all of them.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"B", 1},
}

// Type implements pflag.Value.
func (v *sizeValue) Type() string { return "size" }

func (v *sizeValue) String() string { return size(int64(*v)) }

// Set parses s.
func (v *sizeValue) Set(s string) error {
	number, unit := strings.TrimSpace(s), int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size such as 64MiB", s)
	}
	*v = sizeValue(n * unit)
	return nil
}

// size writes n exactly, in the largest binary unit that keeps it whole.
func size(n int64) string {
	for _, u := range sizeUnits[:3] {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// aboutSize writes n for a table: 12.3 MiB.
func aboutSize(n int64) string {
	for _, u := range sizeUnits[:3] {
		if n >= u.bytes {
			return strconv.FormatFloat(float64(n)/float64(u.bytes), 'f', 1, 64) + " " + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}
