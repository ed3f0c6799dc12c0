// Package trace reads recorded request counts: CSV with a header, gzip or not,
// as `second,requests` or `second,<id>,requests`, with any number of further
// columns of whole numbers that sum something over the requests of the line.
package trace

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ErrFormat reports a file that is no trace of counts.
var ErrFormat = errors.New("trace: not a file of request counts")

// Bounds of what is read.
const (
	maxLines    = 50_000_000
	maxRequests = 1 << 40
)

// Point is the requests of one second and, in a trace with ids, of one id.
type Point struct {
	Second   int
	ID       string // "" in a trace without ids
	Requests int64
	Extra    []int64 // the further columns, in the order of Trace.Extra
}

// Trace is a recording in order of time.
type Trace struct {
	Points []Point
	Extra  []string // names of the further columns
}

// Open reads a file; one whose content is gzip is unpacked.
func Open(name string) (*Trace, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	t, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// Read reads a trace, unpacking it when it is gzip.
func Read(r io.Reader) (*Trace, error) {
	b := bufio.NewReader(r)
	if magic, _ := b.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return parse(z)
	}
	return parse(b)
}

func parse(r io.Reader) (*Trace, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	header, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: no header: %w", ErrFormat, err)
	}
	count := slices.Index(header, "requests")
	if len(header) < 2 || header[0] != "second" || count != 1 && count != 2 {
		return nil, fmt.Errorf("%w: the header is %q, want second,requests or second,<id>,requests", ErrFormat, strings.Join(header, ","))
	}
	t := &Trace{Extra: slices.Clone(header[count+1:])}
	for line := 2; ; line++ {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if line > maxLines {
			return nil, fmt.Errorf("%w: more than %d lines", ErrFormat, maxLines)
		}
		p, err := point(record, count)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrFormat, line, err)
		}
		t.Points = append(t.Points, p)
	}
	slices.SortStableFunc(t.Points, func(a, b Point) int { return a.Second - b.Second })
	return t, nil
}

func point(record []string, count int) (p Point, err error) {
	second, err := number("second", record[0])
	if err != nil {
		return p, err
	}
	p.Second = int(second)
	if count == 2 {
		p.ID = strings.Clone(record[1])
	}
	if p.Requests, err = number("requests", record[count]); err != nil {
		return p, err
	}
	for _, field := range record[count+1:] {
		n, err := number("column", field)
		if err != nil {
			return p, err
		}
		p.Extra = append(p.Extra, n)
	}
	return p, nil
}

func number(name, s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > maxRequests {
		return 0, fmt.Errorf("%s is %q, want a whole number", name, s)
	}
	return n, nil
}
