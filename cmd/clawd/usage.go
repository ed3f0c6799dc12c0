package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

func (c *cli) usageCommand() *cobra.Command {
	var from, to, by string
	cmd := c.verb(&cobra.Command{
		Use:   "usage AGENT",
		Short: "Show what an agent used of models, and what it costs",
		Example: `  clawd usage bot
  clawd usage bot --from 2026-01-01 --to 2026-01-31 --group-by model`,
		Args: cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			o := client.StatementOptions{GroupBy: by}
			for _, day := range []struct {
				flag, text string
				to         *time.Time
			}{{"from", from, &o.From}, {"to", to, &o.To}} {
				if day.text == "" {
					continue
				}
				t, err := time.Parse(time.DateOnly, day.text)
				if err != nil {
					return usagef("--%s must be a day such as 2026-01-31", day.flag)
				}
				*day.to = t
			}
			s, err := cl.Usage.Statement(ctx, args[0], o)
			if err != nil {
				return err
			}
			return c.show(s, func(w io.Writer) error { return c.showStatement(w, &s) })
		}),
	})
	cmd.Flags().StringVar(&from, "from", "", "first day, UTC (default: the first of the month)")
	cmd.Flags().StringVar(&to, "to", "", "last day, UTC, included (default: today)")
	cmd.Flags().StringVar(&by, "group-by", "", "sum up by model or day")
	return cmd
}

func (c *cli) showStatement(w io.Writer, s *client.Statement) error {
	t := newTable("day", "model", "requests", "input", "cached", "output", "reasoning", "amount")
	for i := range s.Items {
		it := &s.Items[i]
		amount := "no price"
		if it.Amount != nil {
			amount = it.Amount.String()
		}
		t.add(
			text(orElse(it.Day, "-")), text(orElse(it.Model, "-")), num(utoa(it.Requests)), num(utoa(it.InputTokens)),
			num(utoa(it.CachedInputTokens)), num(utoa(it.OutputTokens)), num(utoa(it.ReasoningTokens)), num(amount),
		)
	}
	if err := c.showTable(t); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s from %s to %s: %s %s\n", printable(s.Agent), s.From, s.To, s.Total, s.Currency)
	return err
}
