package mutant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/openclaw/clawd/internal/mutant/planted"
)

// patience is how long one bug may keep a process busy. Some make a loop that
// never ends; a bug that is only hard to find is stopped by its budget of seeds.
const patience = 10 * time.Minute

// Hunt looks for the bug with a number; 0 is the code as it is, in which all
// seeds are run and whatever they find is stray.
func (b *Binaries) Hunt(ctx context.Context, number int, m *Mutant) (Report, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if m.Crash != "" {
		return b.crashTests(ctx, number, m)
	}
	return b.simulate(ctx, number, m)
}

func (b *Binaries) simulate(ctx context.Context, number int, m *Mutant) (Report, error) {
	cmd := command(ctx, number, b.hunt, "-seeds", strconv.Itoa(m.Budget()), "-breaks", strings.Join(m.Breaks, ","))
	out, err := cmd.Output()
	if err != nil {
		return Report{}, explain(ctx, cmd, err)
	}
	var r Report
	return r, json.Unmarshal(out, &r)
}

// crashTests runs one of the tests of internal/crashtest, which end with the
// first schedule that fails.
func (b *Binaries) crashTests(ctx context.Context, number int, m *Mutant) (Report, error) {
	cmd := command(ctx, number, b.crash, "-test.run", "^"+m.Crash+"$", "-test.failfast", "-test.parallel", "1",
		"-test.timeout", "0", "-schedules", strconv.Itoa(m.Budget()))
	cmd.Dir = b.tree
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return Report{Ran: m.Budget()}, nil
	case ctx.Err() != nil || !errors.As(err, &exit):
		return Report{}, explain(ctx, cmd, err)
	}
	c := readFailure(out)
	r := Report{Ran: int(c.Seed)}
	r.Note(c, m.Breaks)
	return r, nil
}

func command(ctx context.Context, number int, bin string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
	if number > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", planted.Variable, number))
	}
	return cmd
}

func explain(ctx context.Context, cmd *exec.Cmd, err error) error {
	if ctx.Err() != nil {
		err = fmt.Errorf("ended after %v: %w", patience, ctx.Err())
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
}

var (
	failedSeed      = regexp.MustCompile(`seed (\d+): (.*)`)
	namedInvariant  = regexp.MustCompile(`\b([IEC]\d+|index|register|promise): `)
	panickedProcess = regexp.MustCompile(`(?m)^panic: (.*)`)
)

// readFailure finds in the output of the crash tests what broke first.
func readFailure(out []byte) Catch {
	var c Catch
	if f := failedSeed.FindSubmatch(out); f != nil {
		c.Seed, _ = strconv.ParseUint(string(f[1]), 10, 64)
		c.Detail = string(f[2])
		if n := namedInvariant.FindStringSubmatch(c.Detail); n != nil {
			c.Invariant = n[1]
		}
		return c
	}
	if p := panickedProcess.FindSubmatch(out); p != nil {
		return Catch{Invariant: Panicked, Detail: string(p[1])}
	}
	return Catch{Detail: string(bytes.TrimSpace(out))}
}
