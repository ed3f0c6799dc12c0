// Command run prints how far clusters of the limiter are from one central bucket,
// beside the figures of the design's models. With -write it replaces the tables of
// a page.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/openclaw/clawd/internal/accuracy"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("accuracy", flag.ContinueOnError)
	flags.SetOutput(stderr)
	page := flags.String("write", "", "page whose tables are replaced")
	if flags.Parse(args) != nil {
		return 2
	}
	sync, cut := accuracy.SyncRows(), accuracy.CutRows()
	fmt.Fprintf(stdout, "%s\n%s", accuracy.SyncTable(sync), accuracy.CutTable(cut))
	if *page == "" {
		return 0
	}
	if err := accuracy.WriteTables(*page, sync, cut); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}
