package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

// paging is what every listing takes: [PREFIX] --after --limit.
type paging struct {
	prefix, after string
	limit         int
}

func (p *paging) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.prefix, "prefix", "", "only names that start with it (also as the argument)")
	f.StringVar(&p.after, "after", "", "only names greater than it; continues a listing")
	f.IntVar(&p.limit, "limit", 1000, "names at most, up to 1000")
}

func (p *paging) options(args []string) client.ListOptions {
	o := client.ListOptions{Prefix: p.prefix, After: p.after, Limit: p.limit}
	if len(args) > 0 {
		o.Prefix = args[0]
	}
	return o
}

// more says below a table how it goes on. It is no part of the table, so it
// goes where a pipe does not look.
func (c *cli) more(next string) {
	if next != "" {
		fmt.Fprintf(c.stderr, "more follow: add --after %s\n", shellQuote(next))
	}
}
