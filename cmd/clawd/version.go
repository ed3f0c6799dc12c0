package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/internal/buildinfo"
)

func (c *cli) versionCommand() *cobra.Command {
	return c.printing(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE: func(*cobra.Command, []string) error {
			b := buildinfo.Get()
			return c.show(b, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "clawd", b)
				return err
			})
		},
	})
}
