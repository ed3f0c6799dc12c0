package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/internal/cost"
)

func (c *cli) costCommand() *cobra.Command {
	l := cost.Load{}.WithDefaults()
	p := cost.ListPrices()
	cmd := c.printing(&cobra.Command{
		Use:   "cost",
		Short: "Reckon what a load costs on AWS",
		Long: `Reckon how many t3.medium a load needs, what they cost with their disks, load
balancer and traffic between zones, and what the same decisions cost elsewhere.

Nothing is asked or measured: the prices are AWS's list prices for us-east-1,
what a decision costs was measured before, and both can be given. What stands
behind each number is in docs/cost.md.`,
		Example: `  clawd cost --rps 10000 --surge 30000
  clawd cost --rps 29 --zones 1 --price 0.0416 -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("surge") {
				l.Surge = l.RPS
			}
			if err := errors.Join(l.Validate(), p.Validate()); err != nil {
				return usageError{err}
			}
			return c.showBill(cost.Reckon(l, p))
		},
	})
	f := cmd.Flags()
	f.Float64Var(&l.RPS, "rps", 0, "decisions a second through the day (required)")
	f.Float64Var(&l.Surge, "surge", 0, "decisions a second at the busiest moment (default: --rps)")
	f.Float64Var(&l.SurgeHours, "surge-hours", l.SurgeHours, "hours of a day it is that busy")
	f.IntVar(&l.Zones, "zones", l.Zones, "availability zones; one may be lost at the surge, unless it is the only one")
	f.Float64Var(&l.Agents, "agents", l.Agents, "agents that are busy at the same time")
	f.Float64Var(&l.DiskGB, "disk-gb", l.DiskGB, "size of a node's volume")
	f.Float64Var(&l.Headroom, "headroom", l.Headroom, "part of the processors that stays free at the surge")
	f.Float64Var(&l.CPUMicros, "cpu-us", l.CPUMicros, "processor time of a decision, in µs")
	f.Float64Var(&l.RequestBytes, "request-bytes", l.RequestBytes, "a call and its answer on the wire")
	f.Float64Var(&l.RowBytes, "row-bytes", l.RowBytes, "a changed row on the wire to a peer")
	f.Float64Var(&p.Instance, "price", p.Instance, "dollars an hour of an instance")
	_ = cmd.MarkFlagRequired("rps")
	return cmd
}

func (c *cli) showBill(b cost.Bill) error {
	return c.show(b, func(w io.Writer) error {
		fmt.Fprintf(w, "%d × t3.medium: %s\n", b.Instances, b.Why)
		fmt.Fprintf(w, "a node carries %s decisions/s at the surge, %s/s for ever on its CPU credits\n",
			round(b.NodeCapacity), round(b.BaselineRPS))
		fmt.Fprintf(w, "processors: %s busy over the day, %s at the surge with the largest zone lost\n\n", percent(b.Utilisation), percent(b.SurgeLoad))
		bill := newTable("ITEM", "$/DAY", "$/MONTH", "")
		for _, l := range b.Lines {
			bill.add(text(l.Name), num(dollars(l.PerDay)), num(dollars(l.PerDay*365/12)), tinted(l.Note, faint))
		}
		bill.add(text("together"), num(dollars(b.PerDay)), num(dollars(b.PerDay*365/12)), text(""))
		if err := c.showTable(bill); err != nil {
			return err
		}
		fmt.Fprintf(w, "\n%s decisions a day: $%s for a million of them\n\n", round(b.Mean*86400), strconv.FormatFloat(b.PerMillion, 'f', 4, 64))
		other := newTable("INSTEAD", "$/DAY", "$/MILLION", "")
		for _, o := range b.Others {
			other.add(text(o.Name), num(dollars(o.PerDay)), num(strconv.FormatFloat(o.PerMillion, 'f', 4, 64)), tinted(o.Note, faint))
		}
		if err := c.showTable(other); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "\nlist prices, us-east-1, %s\n", cost.PricesAsOf)
		return err
	})
}

func dollars(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// round shows a count without more digits than it deserves.
func round(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }
