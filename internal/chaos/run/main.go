// Command run puts a cluster through every fault and prints what each cost. With
// -write it replaces the table of docs/reliability.md. It exits with 1 when a
// promise did not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/openclaw/clawd/internal/chaos"
	"github.com/openclaw/clawd/internal/fleet"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	short := flags.Bool("short", false, "short phases, for a look")
	only := flags.String("only", "", "run only faults whose name contains this")
	page := flags.String("write", "", "page whose table is replaced")
	if flags.Parse(args) != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	scale := chaos.Full
	if *short {
		scale = chaos.Short
	}
	results, err := all(ctx, stderr, scale, *only)
	fmt.Fprintln(stdout, chaos.Table(results))
	if err == nil && *page != "" {
		err = chaos.WriteTable(*page, results)
	}
	broken := 0
	for _, r := range results {
		for _, what := range r.Broken() {
			broken++
			fmt.Fprintf(stdout, "BROKEN: %s: %s\n", r.Fault, what)
		}
		fmt.Fprint(stderr, r.Logs())
	}
	fmt.Fprintf(stdout, "chaos: %d faults, %d promises broken\n", len(results), broken)
	if err != nil {
		fmt.Fprintf(stderr, "chaos: %v\n", err)
	}
	if err != nil || broken > 0 {
		return 1
	}
	return 0
}

// all runs the faults one after the other; an error of one does not keep the
// others from running.
func all(ctx context.Context, stderr io.Writer, scale chaos.Scale, only string) (results []chaos.Result, err error) {
	bin, err := fleet.Binary()
	if err != nil {
		return nil, err
	}
	defer fleet.RemoveBinary()
	dir, err := os.MkdirTemp("", "clawd-chaos-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // of a temporary directory
	var errs []error
	for i, f := range chaos.Faults() {
		if ctx.Err() != nil || !strings.Contains(f.Name, only) {
			continue
		}
		fmt.Fprintf(stderr, "chaos: %s: %s\n", f.Name, f.About)
		r, err := chaos.Run(ctx, bin, filepath.Join(dir, fmt.Sprint(i)), f, scale)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		results = append(results, r)
	}
	return results, errors.Join(append(errs, ctx.Err())...)
}
