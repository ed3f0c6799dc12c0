package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/verify"
)

// verifyFlags is what a verification is told.
type verifyFlags struct {
	nodes   []string
	options verify.Options
}

func (c *cli) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := c.printing(&cobra.Command{
		Use:   "verify",
		Short: "Check a live cluster: its accuracy against its bound, and that nodes converge",
		Long: `verify asks all nodes of a live cluster at once on behalf of a few temporary
agents, compares what was admitted with one ideal central bucket, waits until all
nodes count just what was granted, and writes, overwrites, adds up and deletes
keys at one node that the others must see.

Everything it makes has a name that starts with clawd-verify- and is removed at
the end, also after Ctrl-C; what cannot be removed is named. It asks at a modest
rate, which --rate changes, and tells what it will do before it starts. The API
key, if the cluster wants one, is in OPENCLAW_API_KEY and must allow policies.

Exit codes: 0 every check passed, 1 one did not, 2 wrong usage.`,
		Example: `  clawd verify --nodes http://10.0.0.1:8080,http://10.0.0.2:8080,http://10.0.0.3:8080
  clawd verify --nodes a:8080,b:8080 --rate 200 --duration 30s -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.verify(&f) },
	})
	s := cmd.Flags()
	s.SortFlags = false
	s.StringSliceVar(&f.nodes, "nodes", nil, "URLs of the nodes to ask, each node of the cluster once")
	s.Float64Var(&f.options.PerSecond, "rate", verify.DefaultPerSecond, "consume calls a second over all nodes")
	s.DurationVar(&f.options.Duration, "duration", verify.DefaultDuration, "how long to ask")
	s.DurationVar(&f.options.Within, "within", verify.DefaultWithin, "how long anything may take to arrive at all nodes")
	s.StringVar(&f.options.ID, "id", "", "part of every temporary name (default: by chance)")
	s.DurationVar(&c.timeout, "timeout", client.DefaultTimeout, "how long to wait for one answer")
	return cmd
}

func (c *cli) verify(f *verifyFlags) error {
	for _, url := range f.nodes {
		cl, err := c.clientOf(strings.TrimSpace(url), client.Options{MaxRetries: -1})
		if err != nil {
			return err
		}
		f.options.Nodes = append(f.options.Nodes, cl)
	}
	if len(f.nodes) == 0 {
		return withHint(usagef("--nodes is missing"), "name every node, like --nodes http://a:8080,http://b:8080")
	}
	if f.options.ID == "" {
		id := make([]byte, 4)
		_, _ = rand.Read(id) // never fails
		f.options.ID = hex.EncodeToString(id)
	}
	f.options.Seed = uint64(time.Now().UnixNano())
	progress := newReplayProgress(c.stderr)
	f.options.Progress = progress.show
	f.options.Begin = func(r verify.Report) { fmt.Fprint(c.stderr, intention(r, len(f.nodes))) }

	ctx, now, stop := stopSignals()
	defer stop()
	done := make(chan error, 1)
	var report verify.Report
	go func() {
		var err error
		report, err = verify.Run(ctx, f.options)
		done <- err
	}()
	select {
	case err := <-done:
		progress.clear()
		if err != nil {
			return verifyError(err)
		}
	case <-now:
		progress.clear()
		return fmt.Errorf("stopped at once: what has a name that starts with clawd-verify-%s may be left", f.options.ID)
	}
	if err := c.show(report, func(w io.Writer) error { return c.writeVerification(w, report) }); err != nil {
		return err
	}
	if !report.Passed {
		return silentError{exitError}
	}
	return nil
}

func verifyError(err error) error {
	if errors.Is(err, verify.ErrOptions) {
		return usageError{err}
	}
	return err
}

// intention is said before anything is written.
func intention(r verify.Report, nodes int) string {
	took := time.Duration(r.DurationMS) * time.Millisecond
	many := "1 node"
	if nodes > 1 {
		many = fmt.Sprintf("%d nodes", nodes)
	}
	return wrapped(fmt.Sprintf("verify: asks %s of %q %g times a second for %v (%.0f calls, and about %d reads a second), on temporary agents, policies and keys named %s…",
		many, printable(r.Cluster), r.PerSecond, took, r.PerSecond*took.Seconds(), verify.ReadsPerSecond(nodes), r.Prefix), 0, 0)
}

var checkColours = map[verify.Status]colour{verify.Pass: green, verify.Fail: red, verify.Note: yellow}

// pageWidth is what fits everywhere.
const pageWidth = 80

func (c *cli) writeVerification(w io.Writer, r verify.Report) error {
	widest := 0
	for _, check := range r.Checks {
		widest = max(widest, utf8.RuneCountInString(check.Name))
	}
	var b strings.Builder
	for _, check := range r.Checks {
		b.WriteString(c.colourful(string(check.Status), checkColours[check.Status]))
		fmt.Fprintf(&b, "  %-*s  ", widest, check.Name)
		indent := len(check.Status) + widest + 4
		b.WriteString(wrapped(printable(check.Detail), indent, indent))
	}
	if len(r.Agents) > 0 {
		b.WriteByte('\n')
		if err := verificationTable(r).write(&b, wantsColour(c.stdout)); err != nil {
			return err
		}
	}
	fmt.Fprintf(&b, "\nverify: %d of %d checks failed\n", r.Failed(), len(r.Checks))
	_, err := io.WriteString(w, b.String())
	return err
}

func verificationTable(r verify.Report) *table {
	t := newTable("agent", "nodes", "limit", "asked", "admitted", "ideal", "ratio", "over", "bound")
	for _, a := range r.Agents {
		t.add(text(strings.TrimPrefix(a.Agent, r.Prefix+"-")), num(itoa(int64(a.Nodes))),
			num(fmt.Sprintf("%d+%.4g/s", a.Capacity, a.PerSecond)), num(itoa(int64(a.Requests))), num(itoa(a.Admitted)),
			num(itoa(a.Ideal)), num(fmt.Sprintf("%.2f", a.Ratio())), num(fmt.Sprintf("%.1f", a.Overshoot)), num(fmt.Sprintf("%.0f", a.Bound)))
	}
	return t
}

// wrapped breaks text into lines that fit the page; the first one begins at a
// column, the others are indented.
func wrapped(text string, column, indent int) string {
	var b strings.Builder
	begin := true
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if !begin && column+1+n > pageWidth {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column, begin = indent, true
		}
		if !begin {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column, begin = column+n, false
	}
	return b.String() + "\n"
}
