package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/rating"
)

func (c *cli) priceCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use:     "price",
		Aliases: []string{"prices"},
		Short:   "Read and publish what models cost",
		Long: `Prices rate usage events. A version holds from its --from on and is never
changed after that: publish the next one instead. MODEL may be a glob such as
"gpt-4*"; the model's own name goes before a glob, and of globs the one with the
longest beginning.`,
	}, c.priceSetCommand(), c.priceListCommand(), c.priceDeleteCommand())
}

func (c *cli) priceSetCommand() *cobra.Command {
	var p struct{ currency, input, output, cached, reasoning, request, from string }
	cmd := c.verb(&cobra.Command{
		Use:     "set MODEL --input-per-million 2.50 --output-per-million 10",
		Short:   "Publish a version of a price",
		Example: `  clawd price set 'gpt-4*' --input-per-million 2.50 --output-per-million 10`,
		Args:    cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			price := client.Price{Model: args[0], Currency: strings.ToUpper(p.currency)}
			for _, f := range []struct {
				flag, text string
				set        func(client.Money)
			}{
				{"input-per-million", p.input, func(m client.Money) { price.InputPerMillion = m }},
				{"output-per-million", p.output, func(m client.Money) { price.OutputPerMillion = m }},
				{"cached-input-per-million", p.cached, func(m client.Money) { price.CachedInputPerMillion = &m }},
				{"reasoning-per-million", p.reasoning, func(m client.Money) { price.ReasoningPerMillion = &m }},
				{"per-request", p.request, func(m client.Money) { price.PerRequest = m }},
			} {
				if f.text == "" {
					continue
				}
				m, err := rating.ParseMoney(f.text)
				if err != nil {
					return usagef("--%s: %w", f.flag, err)
				}
				f.set(m)
			}
			if p.from != "" {
				t, err := time.Parse(time.RFC3339, p.from)
				if err != nil {
					return usagef("--from must be a time such as 2026-01-31T12:00:00Z")
				}
				price.EffectiveFrom = rating.UnixMS(t.UnixMilli())
			}
			stored, err := cl.Prices.Put(ctx, price)
			if err != nil {
				return err
			}
			return c.show(stored, func(io.Writer) error { return c.showTable(priceTable([]client.Price{stored})) })
		}),
	})
	f := cmd.Flags()
	f.StringVar(&p.currency, "currency", "USD", "three letters; a tenant has one")
	f.StringVar(&p.input, "input-per-million", "", "price of a million input tokens")
	f.StringVar(&p.output, "output-per-million", "", "price of a million output tokens")
	f.StringVar(&p.cached, "cached-input-per-million", "", "price of a million input tokens from a cache (default: as input)")
	f.StringVar(&p.reasoning, "reasoning-per-million", "", "price of a million reasoning tokens (default: as output)")
	f.StringVar(&p.request, "per-request", "", "price of a request")
	f.StringVar(&p.from, "from", "", "when it begins to hold, RFC 3339 (default: now)")
	return cmd
}

func (c *cli) priceListCommand() *cobra.Command {
	var p paging
	cmd := c.verb(&cobra.Command{
		Use:   "list",
		Short: "List the versions of prices",
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			l, err := cl.Prices.List(ctx, p.options(args))
			if err != nil {
				return err
			}
			return c.show(l, func(io.Writer) error {
				defer c.more(l.Next)
				return c.showTable(priceTable(l.Prices))
			})
		}),
	})
	p.flags(cmd)
	return cmd
}

func (c *cli) priceDeleteCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "delete MODEL",
		Short: "Withdraw the versions that do not hold yet",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.Prices.Delete(ctx, args[0]); err != nil {
				return err
			}
			return c.done(map[string]any{"model": args[0], "withdrawn": true}, "withdrawn  %s", printable(args[0]))
		}),
	})
}

func priceTable(prices []client.Price) *table {
	t := newTable("model", "from", "currency", "input", "cached", "output", "reasoning", "request")
	for i := range prices {
		p := &prices[i]
		t.add(
			text(p.Model), text(momentText(int64(p.EffectiveFrom))), text(p.Currency),
			num(metered(&p.InputPerMillion, p.Tiers.Input)), num(metered(p.CachedInputPerMillion, p.Tiers.CachedInput)),
			num(metered(&p.OutputPerMillion, p.Tiers.Output)), num(metered(p.ReasoningPerMillion, p.Tiers.Reasoning)),
			num(metered(&p.PerRequest, p.Tiers.Requests)),
		)
	}
	return t
}

// metered is a price in a cell: "-" is that of the whole it is part of.
func metered(flat *client.Money, tiers []rating.Tier) string {
	switch {
	case len(tiers) > 0:
		return fmt.Sprintf("%d tiers", len(tiers))
	case flat == nil:
		return "-"
	}
	return flat.String()
}

func momentText(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
