package mlrefill

import (
	_ "embed" // the trained prior
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ErrPrior is the kind of every error of ParsePrior.
var ErrPrior = errors.New("mlrefill: not a usable prior")

// PriorVersion is the format of a prior that this code reads.
const PriorVersion = 1

// Prior is where models start: weights of the experts and coefficients of the
// regression. It is all that is trained before a process starts; everything is
// learned further while it runs, so a bad prior loses its say within some
// windows.
type Prior struct {
	Version int `json:"version"`
	// Quick and Slow weigh the experts at one second and at one window, in the
	// order of Record.Weights.
	Quick [experts]float64 `json:"quick"`
	Slow  [experts]float64 `json:"slow"`
	// QuickRLS and SlowRLS are the coefficients of the last second, the one
	// before, the four averages, Holt's level, and the slow average itself.
	QuickRLS [features]float64 `json:"quick_rls"`
	SlowRLS  [features]float64 `json:"slow_rls"`
	// Checksum is CRC-32C of this object without it.
	Checksum string `json:"checksum,omitempty"`
}

//go:embed prior.json
var shipped []byte

// DefaultPrior is the prior in the binary.
func DefaultPrior() Prior {
	p, err := ParsePrior(shipped)
	if err != nil {
		return FlatPrior() // a test reads the shipped file, so this is for editors of it
	}
	return p
}

// FlatPrior knows nothing: equal weights, and the middle averages for the
// regression.
func FlatPrior() Prior {
	p := Prior{Version: PriorVersion}
	for i := range p.Quick {
		p.Quick[i], p.Slow[i] = 1.0/experts, 1.0/experts
	}
	p.QuickRLS = [features]float64{0.1, 0, 0.2, 0.2, 0.2, 0.2, 0.1, 0}
	p.SlowRLS = [features]float64{0, 0, 0, 0.2, 0.5, 0.3, 0, 0}
	return p
}

// ParsePrior reads a prior and checks version, checksum and values.
func ParsePrior(b []byte) (Prior, error) {
	var p Prior
	if err := json.Unmarshal(b, &p); err != nil {
		return Prior{}, fmt.Errorf("%w: %w", ErrPrior, err)
	}
	if p.Version != PriorVersion {
		return Prior{}, fmt.Errorf("%w: version %d, this program reads %d", ErrPrior, p.Version, PriorVersion)
	}
	if want := p.sum(); p.Checksum != want {
		return Prior{}, fmt.Errorf("%w: checksum %q, the content has %q", ErrPrior, p.Checksum, want)
	}
	return p, p.check()
}

func (p Prior) check() error {
	for _, w := range [][experts]float64{p.Quick, p.Slow} {
		total := 0.0
		for _, v := range w {
			if !sane(v) {
				return fmt.Errorf("%w: a weight is %v", ErrPrior, v)
			}
			total += v
		}
		if total < 0.9 || total > 1.1 {
			return fmt.Errorf("%w: weights sum to %v", ErrPrior, total)
		}
	}
	for _, c := range [][features]float64{p.QuickRLS, p.SlowRLS} {
		for _, v := range c {
			if !(math.Abs(v) <= 4) {
				return fmt.Errorf("%w: a coefficient is %v", ErrPrior, v)
			}
		}
	}
	return nil
}

// Seal returns the prior as a file, with its checksum.
func (p Prior) Seal() []byte {
	p.Version = PriorVersion
	p.Checksum = p.sum()
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil // only for a value that is no number, which check refuses
	}
	return append(b, '\n')
}

func (p Prior) sum() string {
	p.Checksum = ""
	b, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%08x", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}
