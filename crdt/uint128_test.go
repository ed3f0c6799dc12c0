package crdt

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var maxUint128 = Uint128{math.MaxUint64, math.MaxUint64}

func toBig(u Uint128) *big.Int {
	hi := new(big.Int).Lsh(new(big.Int).SetUint64(u.Hi), 64)
	return hi.Or(hi, new(big.Int).SetUint64(u.Lo))
}

// clampBig brings a big result into 128 bits the way Uint128 states it.
func clampBig(v *big.Int) *big.Int {
	if v.Sign() < 0 {
		return new(big.Int)
	}
	if top := toBig(maxUint128); v.Cmp(top) > 0 {
		return top
	}
	return v
}

func TestUint128AgainstBigInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Uint128{number().Draw(t, "a.hi"), number().Draw(t, "a.lo")}
		b := Uint128{number().Draw(t, "b.hi"), number().Draw(t, "b.lo")}
		n := number().Draw(t, "n")
		bigA, bigB, bigN := toBig(a), toBig(b), new(big.Int).SetUint64(n)

		same := func(what string, got Uint128, want *big.Int) {
			if toBig(got).Cmp(clampBig(want)) != 0 {
				t.Fatalf("%s of %v, %v, %d = %v, want %v", what, a, b, n, got, want)
			}
		}
		same("Add", a.Add(b), new(big.Int).Add(bigA, bigB))
		same("Add64", a.Add64(n), new(big.Int).Add(bigA, bigN))
		same("Sub", a.Sub(b), new(big.Int).Sub(bigA, bigB))
		if n > 0 {
			same("Div64", a.Div64(n), new(big.Int).Div(bigA, bigN))
		}
		if a.Cmp(b) != bigA.Cmp(bigB) || a.IsZero() != (bigA.Sign() == 0) {
			t.Fatalf("Cmp or IsZero of %v, %v", a, b)
		}
		if a.String() != bigA.String() {
			t.Fatalf("String = %s, want %s", a, bigA)
		}
		want, _ := new(big.Float).SetInt(bigA).Float64()
		if got := a.Float64(); math.Abs(got-want) > want*1e-15 {
			t.Fatalf("Float64 = %v, want %v", got, want)
		}
		if bigA.IsUint64() && a.Uint64() != bigA.Uint64() || !bigA.IsUint64() && a.Uint64() != math.MaxUint64 {
			t.Fatalf("Uint64 of %v = %d", a, a.Uint64())
		}
	})
}

func TestTotalInt64AgainstBigInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := anyTotal().Draw(t, "total")
		net := new(big.Int).Sub(toBig(total.Consumed), toBig(total.Refunded))
		got, exact := total.Int64()
		if exact != net.IsInt64() || exact && got != net.Int64() {
			t.Fatalf("%+v = %d exact=%v, want %v", total, got, exact, net)
		}
		if !exact && (got < 0) != (net.Sign() < 0) {
			t.Fatalf("%+v clamps to %d", total, got)
		}
		magnitude, negative := total.Net()
		if toBig(magnitude).CmpAbs(net) != 0 || negative != (net.Sign() < 0) {
			t.Fatalf("Net of %+v = %v %v", total, magnitude, negative)
		}
	})
}

func TestTotalSums(t *testing.T) {
	a := Total{}.Add(Delta{Consumed: math.MaxUint64, Refunded: 1}).Add(Delta{Consumed: 1, Refunded: 2})
	want := Total{Consumed: Uint128{Hi: 1}, Refunded: Uint128{Lo: 3}}
	if a != want {
		t.Errorf("got %+v, want %+v", a, want)
	}
	if got := a.Plus(Total{Refunded: Uint128{Hi: 2}}); got != (Total{Uint128{Hi: 1}, Uint128{2, 3}}) {
		t.Errorf("Plus = %+v", got)
	}
}
