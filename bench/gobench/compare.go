package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// figures are what one benchmark showed, over its repetitions.
type figures struct {
	relative []float64 // time in units of the calibration around its package
	allocs   []float64 // an operation
}

// parse reads the output of go test -bench: for each package the calibration,
// the benchmarks, and the calibration again.
func parse(out string) map[string]*figures {
	found := map[string]*figures{}
	var pkg string
	var units []float64
	pending := map[string][]float64{} // times that wait for the calibration after them
	close := func() {
		for name, times := range pending {
			for _, t := range times {
				found[name].relative = append(found[name].relative, t/median(units))
			}
		}
		clear(pending)
	}
	var before string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "pkg:":
			before, pkg = pkg, fields[1]
			if isCalibration(pkg) && isCalibration(before) { // the one after a package, then the one before the next
				close()
				units = nil
			}
		case len(fields) >= 4 && strings.HasPrefix(fields[0], "Benchmark"):
			time, allocs, ok := values(fields[2:])
			if !ok {
				continue
			}
			if isCalibration(pkg) {
				units = append(units, time)
				continue
			}
			name := filepath.Base(pkg) + "." + withoutCores(strings.TrimPrefix(fields[0], "Benchmark"))
			if found[name] == nil {
				found[name] = &figures{}
			}
			pending[name] = append(pending[name], time)
			found[name].allocs = append(found[name].allocs, allocs)
		}
	}
	close()
	return found
}

func isCalibration(pkg string) bool {
	return strings.HasSuffix(pkg, strings.TrimPrefix(calibration, "."))
}

// values are ns/op and allocs/op of "N ns/op … M allocs/op".
func values(fields []string) (time, allocs float64, ok bool) {
	for i := 0; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return 0, 0, false
		}
		switch fields[i+1] {
		case "ns/op":
			time, ok = v, true
		case "allocs/op":
			allocs = v
		}
	}
	return time, allocs, ok
}

// withoutCores cuts the -2 off a name.
func withoutCores(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			return name[:i]
		}
	}
	return name
}

// row compares one benchmark with the baseline.
type row struct {
	name                string
	timeBefore, timeNow float64
	allocBefore, alloc  float64
}

func compare(before, now map[string]*figures) (rows []row) {
	for name, n := range now {
		if b := before[name]; b != nil {
			// The least of the allocations: what goes on beside a benchmark can only add some.
			rows = append(rows, row{name, median(b.relative), median(n.relative), slices.Min(b.allocs), slices.Min(n.allocs)})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	return rows
}

// grown tells whether r allocates more. Benchmarks that allocate by the
// thousand do not always allocate the same.
func (r row) grown() bool { return r.alloc > r.allocBefore*1.05+0.5 }

func (r row) slowed() bool { return r.timeNow > r.timeBefore*slower }

func table(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-44s %14s %14s %8s   %10s %10s\n", "benchmark", "baseline", "now", "", "allocs", "now")
	for _, r := range rows {
		remark := ""
		switch {
		case r.grown():
			remark = "  ALLOCATES MORE"
		case r.slowed():
			remark = "  slower: look"
		}
		fmt.Fprintf(&b, "%-44s %14.4f %14.4f %+7.0f%%   %10.0f %10.0f%s\n",
			r.name, r.timeBefore, r.timeNow, 100*(r.timeNow/r.timeBefore-1), r.allocBefore, r.alloc, remark)
	}
	b.WriteString("times are in units of the calibration benchmark that ran before and after each package\n")
	return b.String()
}

func verdict(rows []row) error {
	var grown []string
	for _, r := range rows {
		if r.grown() {
			grown = append(grown, fmt.Sprintf("%s: %.0f allocations an operation, %.0f in the baseline", r.name, r.alloc, r.allocBefore))
		}
	}
	if len(grown) > 0 {
		return errors.New(strings.Join(grown, "\n"))
	}
	return nil
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 1
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func save(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
