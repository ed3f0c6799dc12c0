package rating

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Nano is an amount of money in 10⁻⁹ of one unit of a currency. Its JSON form
// is a decimal string, such as "0.0025".
type Nano int64

const (
	// Unit is one unit of a currency: one dollar, one euro.
	Unit Nano = 1_000_000_000

	// MaxAmount bounds every amount that this package returns: 10⁹ units. Four
	// of them still fit an int64.
	MaxAmount = 1_000_000_000 * Unit

	moneyPlaces  = 9
	maxMoneyText = 32 // longer text is refused before it is looked at
)

// ErrInvalidMoney is the kind of every error of ParseMoney.
var ErrInvalidMoney = errors.New("invalid amount of money")

// ParseMoney reads a decimal such as "12", "0.06" or "-1.5": digits, at most
// nine of them after the point, at most MaxAmount in size. Exponents, spaces
// and a missing digit on either side of the point are refused.
func ParseMoney(s string) (Nano, error) {
	if len(s) > maxMoneyText {
		return 0, fmt.Errorf("%w: longer than %d characters", ErrInvalidMoney, maxMoneyText)
	}
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, pointed := strings.Cut(digits, ".")
	if !allDigits(whole) || pointed && !allDigits(fraction) {
		return 0, fmt.Errorf("%w: %q is not a decimal number", ErrInvalidMoney, s)
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > moneyPlaces {
		return 0, fmt.Errorf("%w: %q has more than %d digits after the point", ErrInvalidMoney, s, moneyPlaces)
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", moneyPlaces-len(fraction)), 10, 64)
	if err != nil || Nano(n) > MaxAmount {
		return 0, fmt.Errorf("%w: %q is more than %v", ErrInvalidMoney, s, MaxAmount)
	}
	if negative {
		n = -n
	}
	return Nano(n), nil
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// String is the shortest decimal of n.
func (n Nano) String() string {
	sign, size := "", uint64(n)
	if n < 0 {
		sign, size = "-", -size
	}
	whole := sign + strconv.FormatUint(size/uint64(Unit), 10)
	rest := size % uint64(Unit)
	if rest == 0 {
		return whole
	}
	fraction := strconv.FormatUint(rest+uint64(Unit), 10)[1:]
	return whole + "." + strings.TrimRight(fraction, "0")
}

// MarshalJSON writes n as a decimal string.
func (n Nano) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, n.String()), nil
}

// UnmarshalJSON reads a decimal string. A JSON number is refused, since a
// number may have gone through a float on its way; null leaves n as it is, as
// is the custom of encoding/json.
func (n *Nano) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%w: %.32s is not a decimal string", ErrInvalidMoney, b)
	}
	v, err := ParseMoney(s)
	if err != nil {
		return err
	}
	*n = v
	return nil
}
