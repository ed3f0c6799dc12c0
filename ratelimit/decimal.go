package ratelimit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrInvalidDecimal is the kind of every error of ParseDecimal.
var ErrInvalidDecimal = errors.New("invalid decimal")

// Decimal is a non-negative decimal number, exact to six digits after the
// point, stored as millionths. It is a JSON number in both directions, never a
// float: 0.1 is 0.1.
type Decimal int64

const (
	decimalPlaces  = 6
	decimalOne     = 1_000_000
	maxDecimalText = 64 // longer text is refused before it is looked at
)

// Whole returns the decimal of a whole number; n must be at most 9_223_372_036_854.
func Whole(n int64) Decimal { return Decimal(n * decimalOne) }

// Millionths returns d × 10^6.
func (d Decimal) Millionths() int64 { return int64(d) }

// ParseDecimal reads a number in JSON's grammar. It refuses a sign, a value
// that needs more than six digits after the point (trailing zeros do not
// count), and a value that does not fit.
func ParseDecimal(s string) (Decimal, error) {
	if len(s) > maxDecimalText {
		return 0, fmt.Errorf("%w: longer than %d characters", ErrInvalidDecimal, maxDecimalText)
	}
	digits, point, ok := splitNumber(s)
	if !ok {
		return 0, fmt.Errorf("%w: %q is not a non-negative number", ErrInvalidDecimal, s)
	}
	digits = strings.TrimLeft(digits, "0")
	trimmed := strings.TrimRight(digits, "0")
	point += int64(len(digits) - len(trimmed))
	if trimmed == "" {
		return 0, nil
	}
	// The value is trimmed × 10^point; zeros is how many digits millionths add.
	zeros := point + decimalPlaces
	if zeros < 0 {
		return 0, fmt.Errorf("%w: %q has more than %d digits after the point", ErrInvalidDecimal, s, decimalPlaces)
	}
	const maxDigits = 19 // of an int64
	if zeros > maxDigits || int64(len(trimmed))+zeros > maxDigits {
		return 0, fmt.Errorf("%w: %q is too large", ErrInvalidDecimal, s)
	}
	n, err := strconv.ParseInt(trimmed+strings.Repeat("0", int(zeros)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is too large", ErrInvalidDecimal, s)
	}
	return Decimal(n), nil
}

// splitNumber takes an unsigned JSON number apart: its digits without the
// point, and the power of ten they are to be multiplied with.
func splitNumber(s string) (digits string, power int64, ok bool) {
	mantissa, exponent, hasExponent := cutAny(s, "eE")
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	if !allDigits(whole) || len(whole) > 1 && whole[0] == '0' || hasPoint && !allDigits(fraction) {
		return "", 0, false
	}
	if hasExponent {
		unsigned := strings.TrimPrefix(exponent, "-")
		if unsigned == exponent {
			unsigned = strings.TrimPrefix(exponent, "+")
		}
		if !allDigits(unsigned) {
			return "", 0, false
		}
		// At most 64 characters, so an exponent can be out of range of an
		// int64 only by being absurd; both ends then mean "does not fit".
		n, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil {
			n = 1 << 31
			if exponent[0] == '-' {
				n = -n
			}
		}
		power = n
	}
	return whole + fraction, power - int64(len(fraction)), true
}

func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// String is the shortest text of d.
func (d Decimal) String() string { return string(d.append(nil)) }

func (d Decimal) append(b []byte) []byte {
	b = strconv.AppendInt(b, int64(d)/decimalOne, 10)
	rest := int64(d) % decimalOne
	if rest == 0 {
		return b
	}
	fraction := strconv.FormatInt(rest+decimalOne, 10)[1:]
	b = append(b, '.')
	return append(b, strings.TrimRight(fraction, "0")...)
}

// MarshalJSON writes d as a JSON number.
func (d Decimal) MarshalJSON() ([]byte, error) { return d.append(nil), nil }

// UnmarshalJSON reads a JSON number; null leaves d as it is, as is the custom
// of encoding/json.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	v, err := ParseDecimal(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}
