package crdt

import (
	"bytes"
	"math"
	"strings"

	"pgregory.net/rapid"
)

// number draws mostly small values, so that two drawn values often meet, and now
// and then one at an edge of its range.
func number() *rapid.Generator[uint64] {
	return rapid.OneOf(
		rapid.Uint64Range(0, 3),
		rapid.SampledFrom([]uint64{0x7f, 0x80, MaxCounter, MaxCounter + 1, math.MaxInt64, math.MaxUint64}),
		rapid.Uint64(),
	)
}

// instant draws unix milliseconds.
func instant() *rapid.Generator[int64] {
	return rapid.Custom(func(t *rapid.T) int64 {
		return int64(number().Draw(t, "instant") >> 1)
	})
}

func anyRow() *rapid.Generator[Row] {
	return rapid.Custom(func(t *rapid.T) Row {
		return Row{
			Birth:    number().Draw(t, "birth"),
			Consumed: number().Draw(t, "consumed"),
			Refunded: number().Draw(t, "refunded"),
			TS:       instant().Draw(t, "ts"),
			Seq:      number().Draw(t, "seq"),
		}
	})
}

func anyRegister() *rapid.Generator[Register] {
	return rapid.Custom(func(t *rapid.T) Register {
		return Register{
			Value:     rapid.SliceOfN(rapid.ByteRange(0, 2), 0, 2).Draw(t, "value"),
			Meta:      rapid.SampledFrom([]string{"", "text/plain"}).Draw(t, "meta"),
			Deleted:   rapid.Bool().Draw(t, "deleted"),
			Version:   HLC(number().Draw(t, "version")),
			Writer:    NodeID(number().Draw(t, "writer")),
			ExpiresAt: instant().Draw(t, "expires"),
			Origin:    Origin(number().Draw(t, "origin")),
			Gen:       uint32(number().Draw(t, "gen")),
			Seq:       number().Draw(t, "seq"),
		}
	})
}

// closeRegister draws registers that agree in most fields: only then do the later
// ones of the order decide anything.
func closeRegister() *rapid.Generator[Register] {
	return rapid.Custom(func(t *rapid.T) Register {
		r := Register{Value: []byte{1}, Meta: "m", Version: 1, Writer: 1, ExpiresAt: 1, Origin: 1, Gen: 1, Seq: 1}
		bump := func() uint64 { return rapid.Uint64Range(0, 2).Draw(t, "by") }
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			switch rapid.IntRange(0, 8).Draw(t, "field") {
			case 0:
				r.Value = bytes.Repeat([]byte{1}, int(bump()))
			case 1:
				r.Meta = strings.Repeat("m", int(bump()))
			case 2:
				r.Deleted = true
			case 3:
				r.Version = HLC(bump())
			case 4:
				r.Writer = NodeID(bump())
			case 5:
				r.ExpiresAt = int64(bump())
			case 6:
				r.Origin = Origin(bump())
			case 7:
				r.Gen = uint32(bump())
			case 8:
				r.Seq = bump()
			}
		}
		return r
	})
}

func anyRun() *rapid.Generator[Run] {
	return rapid.Custom(func(t *rapid.T) Run {
		return Run{
			Origin:   Origin(number().Draw(t, "origin")),
			Node:     NodeID(number().Draw(t, "node")),
			Name:     rapid.SampledFrom([]string{"", "a", "b-1"}).Draw(t, "name"),
			Started:  HLC(number().Draw(t, "started")),
			SealedAt: instant().Draw(t, "sealed"),
			Final:    number().Draw(t, "final"),
		}
	})
}

func anyVector() *rapid.Generator[VersionVector] {
	return rapid.Custom(func(t *rapid.T) VersionVector {
		return rapid.MapOfN(originID(), rapid.Uint64Min(1), 0, 4).Draw(t, "vector")
	})
}

func anyPN() *rapid.Generator[PN] {
	return rapid.Custom(func(t *rapid.T) PN {
		p := PN(rapid.MapOfN(originID(), anyRow(), 0, 4).Draw(t, "pn"))
		delete(p, 0)
		for o, row := range p {
			if row == (Row{}) { // means "no row"
				delete(p, o)
			}
		}
		return p
	})
}

func originID() *rapid.Generator[Origin] {
	return rapid.Custom(func(t *rapid.T) Origin { return Origin(number().Draw(t, "origin")) })
}

func anyTotal() *rapid.Generator[Total] {
	return rapid.Custom(func(t *rapid.T) Total {
		return Total{
			Consumed: Uint128{number().Draw(t, "hi"), number().Draw(t, "lo")},
			Refunded: Uint128{number().Draw(t, "hi"), number().Draw(t, "lo")},
		}
	})
}

func anyEntry() *rapid.Generator[Entry] {
	return rapid.Custom(func(t *rapid.T) Entry {
		e := Entry{
			Kind: rapid.SampledFrom([]Kind{KindBucket, KindCounter, KindUsage, KindRegister}).Draw(t, "kind"),
			Key:  rapid.StringN(0, 20, -1).Draw(t, "key"),
		}
		if e.Kind == KindRegister {
			e.Register = anyRegister().Draw(t, "register")
		} else {
			e.Row = anyRow().Draw(t, "row")
		}
		return e
	})
}
