// Command run is the mutation gate: it plants every bug of package mutant and
// wants each to be caught. It prints a table, and exits with 1 when a bug
// escaped or when the same schedules fail without any.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"syscall"

	"github.com/openclaw/clawd/internal/mutant"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "", "plant only the bugs whose name matches this regular expression")
	workers := flags.Int("workers", runtime.NumCPU(), "hunts at a time")
	detail := flags.Bool("detail", false, "tell what each violation says")
	if flags.Parse(args) != nil {
		return 2
	}
	name, err := regexp.Compile(*only)
	if err != nil || *workers < 1 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "mutants: -only wants a regular expression, -workers at least 1, and there are no arguments")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := gate(ctx, stdout, stderr, name, *workers, *detail); err != nil {
		fmt.Fprintf(stderr, "mutants: %v\n", err)
		return 1
	}
	return 0
}

func gate(ctx context.Context, stdout, stderr io.Writer, only *regexp.Regexp, workers int, detail bool) error {
	root, err := mutant.Root(ctx)
	if err != nil {
		return err
	}
	bins, err := mutant.Build(ctx, root)
	if err != nil {
		return err
	}
	defer bins.Remove()
	outcomes := bins.HuntAll(ctx, workers, func(m *mutant.Mutant) bool { return only.MatchString(m.Name) }, func(o *mutant.Outcome) {
		tell(stderr, o, detail)
	})
	clean := bins.Control(ctx, outcomes)
	mutant.Table(stdout, outcomes)
	caught := 0
	for i := range outcomes {
		if outcomes[i].Caught() {
			caught++
		}
	}
	fmt.Fprintf(stdout, "mutants: %d planted, %d caught\n", len(outcomes), caught)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case clean != nil:
		return clean
	case caught < len(outcomes):
		return fmt.Errorf("%d planted bugs escaped", len(outcomes)-caught)
	}
	return nil
}

// tell reports one hunt as it ends.
func tell(stderr io.Writer, o *mutant.Outcome, detail bool) {
	switch r := &o.Report; {
	case o.Err != nil:
		fmt.Fprintf(stderr, "mutants: %s: %v\n", o.Mutant.Name, o.Err)
	case o.Caught():
		fmt.Fprintf(stderr, "mutants: %s: caught by %s at seed %d\n", o.Mutant.Name, r.Caught.Invariant, r.Caught.Seed)
		if detail {
			fmt.Fprintf(stderr, "    %s\n", r.Caught.Detail)
		}
	default:
		fmt.Fprintf(stderr, "mutants: %s: ESCAPED %d schedules\n", o.Mutant.Name, r.Ran)
	}
	if detail {
		for _, s := range o.Report.Stray {
			fmt.Fprintf(stderr, "    seed %d broke %s, which is not its doing: %s\n", s.Seed, s.Invariant, s.Detail)
		}
	}
}
