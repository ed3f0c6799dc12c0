package replay

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openclaw/clawd/internal/trace"
)

// ErrFormat reports a file that is not in the format it is said to be in.
var ErrFormat = errors.New("replay: not in this format")

// Formats of recordings; each may be gzip.
const (
	// Counts is CSV second,requests or second,<id>,requests.
	Counts = "counts"
	// Azure is CSV with a TIMESTAMP for each request (Azure LLM inference traces).
	Azure = "azure"
	// BurstGPT is CSV with a Timestamp in seconds for each request; models are the
	// agents.
	BurstGPT = "burstgpt"
	// Mooncake is a JSON object a line, with a timestamp in ms.
	Mooncake = "mooncake"
	// ServeGen is CSV window_start_s,client,rate_rps,cv: arrivals are drawn, renewals
	// with gamma distributed gaps of this rate and coefficient of variation.
	ServeGen = "servegen"
)

// Formats lists the formats.
var Formats = []string{Counts, Azure, BurstGPT, Mooncake, ServeGen}

// Source is a recording to be read.
type Source struct {
	File   string
	Format string // default Counts
	// Seconds is how much of it is played from its beginning; 0 = all.
	Seconds int
	// Scale multiplies the rates of ServeGen; default 1.
	Scale float64
	Seed  uint64
}

// Read reads a recording.
func (s Source) Read() (*Load, error) {
	def(&s.Format, Counts)
	def(&s.Scale, 1)
	if !slices.Contains(Formats, s.Format) {
		return nil, fmt.Errorf("%w: there is no format %q; there are %s", ErrOptions, s.Format, strings.Join(Formats, ", "))
	}
	if !(s.Scale > 0 && s.Scale <= 1000) || s.Seconds < 0 {
		return nil, fmt.Errorf("%w: the scale must be between 0 and 1000 and the seconds not negative", ErrOptions)
	}
	l, err := s.read()
	if err != nil {
		return nil, err
	}
	if s.Seconds > 0 && s.Seconds < len(l.Seconds) {
		l.Seconds = l.Seconds[:s.Seconds]
	}
	return l, nil
}

func (s *Source) read() (*Load, error) {
	if s.Format == Counts {
		t, err := trace.Open(s.File)
		if err != nil {
			return nil, err
		}
		return FromTrace(s.File, t)
	}
	f, err := os.Open(s.File)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	r, err := unpack(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, s.File, err)
	}
	g := &gather{of: make(map[string]map[int]int64)}
	switch s.Format {
	case Azure:
		err = readAzure(r, g)
	case BurstGPT:
		err = readBurstGPT(r, g)
	case Mooncake:
		err = readMooncake(r, g)
	case ServeGen:
		err = s.readServeGen(r, g)
	}
	if err != nil {
		return nil, fmt.Errorf("%w %s: %s: %w", ErrFormat, s.Format, s.File, err)
	}
	return FromTrace(s.File, g.trace())
}

func unpack(f io.Reader) (io.Reader, error) {
	b := bufio.NewReader(f)
	if magic, _ := b.Peek(2); string(magic) == "\x1f\x8b" {
		return gzip.NewReader(b)
	}
	return b, nil
}

// gather counts requests by agent and second.
type gather struct {
	of    map[string]map[int]int64
	total int64
}

func (g *gather) add(agent string, at float64) error {
	if !(at >= 0 && at < maxSeconds) {
		return fmt.Errorf("an instant is %v s, at most %d are played", at, maxSeconds)
	}
	if g.total++; g.total > 1<<32 {
		return errors.New("too many requests to be played; take fewer seconds or a smaller scale")
	}
	if g.of[agent] == nil {
		g.of[agent] = make(map[int]int64)
	}
	g.of[agent][int(at)]++
	return nil
}

func (g *gather) trace() *trace.Trace {
	t := &trace.Trace{}
	for _, agent := range sortedKeys(g.of) {
		for second, n := range g.of[agent] {
			t.Points = append(t.Points, trace.Point{Second: second, ID: agent, Requests: n})
		}
	}
	slices.SortFunc(t.Points, func(a, b trace.Point) int {
		if a.Second != b.Second {
			return a.Second - b.Second
		}
		return strings.Compare(a.ID, b.ID)
	})
	return t
}

// table calls row for each line of a CSV file with the named columns.
func table(r io.Reader, columns []string, row func(fields []string) error) error {
	c := csv.NewReader(r)
	c.ReuseRecord, c.FieldsPerRecord = true, -1
	header, err := c.Read()
	if err != nil {
		return fmt.Errorf("no header: %w", err)
	}
	at := make([]int, len(columns))
	for i, name := range columns {
		at[i] = slices.IndexFunc(header, func(h string) bool {
			return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")), name)
		})
		if at[i] < 0 {
			return fmt.Errorf("the header has no column %q", name)
		}
	}
	fields := make([]string, len(columns))
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := c.FieldPos(0)
		for i, k := range at {
			if k >= len(record) {
				return fmt.Errorf("line %d has %d fields", line, len(record))
			}
			fields[i] = record[k]
		}
		if err := row(fields); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func readAzure(r io.Reader, g *gather) error {
	var first time.Time
	return table(r, []string{"TIMESTAMP"}, func(f []string) error {
		t, err := azureTime(f[0])
		if err != nil {
			return err
		}
		if first.IsZero() {
			first = t.Truncate(time.Second)
		}
		return g.add("", t.Sub(first).Seconds())
	})
}

// azureTime reads what the releases of different years write.
func azureTime(s string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999-07:00", time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("the timestamp is %q", s)
}

func readBurstGPT(r io.Reader, g *gather) error {
	return table(r, []string{"Timestamp", "Model"}, func(f []string) error {
		at, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			return fmt.Errorf("the timestamp is %q", f[0])
		}
		return g.add(strings.Clone(f[1]), at)
	})
}

func readMooncake(r io.Reader, g *gather) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20) // a line names the blocks of a whole context
	for n := 1; lines.Scan(); n++ {
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		var v struct {
			Timestamp *float64 `json:"timestamp"`
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if v.Timestamp == nil {
			return fmt.Errorf("line %d has no timestamp", n)
		}
		if err := g.add("", *v.Timestamp/1000); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

// serveGenWindow is the length of a row.
const serveGenWindow = 600

func (s *Source) readServeGen(r io.Reader, g *gather) error {
	next := make(map[string]float64) // first arrival that is not yet drawn
	chance := rand.New(rand.NewPCG(s.Seed, 4))
	return table(r, []string{"window_start_s", "client", "rate_rps", "cv"}, func(f []string) error {
		start, err1 := strconv.ParseFloat(f[0], 64)
		rate, err2 := strconv.ParseFloat(f[2], 64)
		cv, err3 := strconv.ParseFloat(f[3], 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		if !(rate >= 0 && rate <= maxPerSecond) || !(cv >= 0 && cv <= 100) {
			return fmt.Errorf("a rate of %v and a variation of %v", rate, cv)
		}
		if s.Seconds > 0 && start >= float64(s.Seconds) {
			return nil
		}
		client := strings.Clone(f[1])
		rate *= s.Scale
		at := max(next[client], start)
		for rate > 0 {
			at += gamma(chance, cv) / rate
			if at >= start+serveGenWindow {
				break
			}
			if err := g.add(client, at); err != nil {
				return err
			}
		}
		next[client] = start + serveGenWindow
		return nil
	})
}

// gamma draws a gap of mean 1 with this coefficient of variation (Marsaglia and
// Tsang's method; below shape 1 by its boost).
func gamma(r *rand.Rand, cv float64) float64 {
	if cv < 0.01 {
		return 1
	}
	shape, boost := 1/(cv*cv), 1.0
	k := shape
	if k < 1 {
		boost = math.Pow(r.Float64(), 1/k)
		k++
	}
	d := k - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v * boost / shape
		}
	}
}
