package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

func (c *cli) poolCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use:     "pool",
		Aliases: []string{"pools"},
		Short:   "Read and change shared capacities of downstreams",
		Long: `A pool is the capacity of a downstream that many agents share. Policies name it:
"pool" and "guarantee" in a policy say which pool its agents draw on and what
each has of it in any case; what nobody uses is lent out.`,
	}, c.poolGetCommand(), c.poolSetCommand(), c.poolListCommand(), c.poolDeleteCommand())
}

func (c *cli) poolGetCommand() *cobra.Command {
	var top int
	cmd := c.verb(&cobra.Command{
		Use:   "get NAME",
		Short: "Show a pool and how it stands on the node that is asked",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			p, err := cl.Pools.Get(ctx, args[0], top)
			if err != nil {
				return err
			}
			return c.show(p, func(w io.Writer) error {
				if err := writePool(w, &p); err != nil || len(p.Status.Top) == 0 {
					return err
				}
				_, _ = fmt.Fprintln(w)
				return c.showTable(poolAgentTable(&p))
			})
		}),
	})
	cmd.Flags().IntVar(&top, "top", 0, "also list so many of its agents, those first of which most is expected")
	return cmd
}

func writePool(w io.Writer, p *client.PoolState) error {
	s := &p.Status
	model := fmt.Sprintf("trusted %.0f %%", 100*s.Forecast.Confidence)
	if s.Forecast.Fallback {
		model = "not used: " + strings.ReplaceAll(s.Forecast.Reason, "_", " ")
	}
	feedback := "none so far"
	if s.Feedback.AgeMS != nil {
		feedback = fmt.Sprintf("%v ago, latency %.1f ms, queue %.1f ms, errors %.1f %%",
			(time.Duration(*s.Feedback.AgeMS) * time.Millisecond).Round(time.Millisecond),
			s.Feedback.LatencyMS, s.Feedback.QueueDelayMS, 100*s.Feedback.ErrorRate)
	}
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("name", "%s", printable(p.Name))
	line("capacity", "%s/s stated, %s/s by feedback, %s/s agreed", stated(p.CapacityPerSecond), rate(s.Estimate), rate(s.Agreed))
	line("queue", "up to %d ms", maxDelay(p))
	line("part", "%s/s here, %.1f %% of the pool%s", rate(s.Part), 100*s.Share, unsettled(s.Settled))
	line("now", "offered %s/s, admitted %s/s, borrowed %s/s, %d agents", rate(s.Offered), rate(s.Admitted), rate(s.Borrowed), s.Agents)
	line("forecast", "%s/s, at most %s/s (95 %%); model %s", rate(s.Forecast.Mean), rate(s.Forecast.Bound), model)
	line("throttled", "%d for want of capacity, %d to keep guarantees, %d by the agents' own bounds",
		s.Totals.ThrottledUnavoidable, s.Totals.ThrottledAvoidable, s.Totals.ThrottledCeiling)
	line("feedback", "%s", feedback)
	if s.GuaranteeScale < 1 {
		line("guarantees", "%.1f %% of what was promised can be kept", 100*s.GuaranteeScale)
	}
	for _, n := range s.Nodes {
		line("node", "%s expects %s/s", printable(n.Node), rate(n.Forecast))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func stated(d fmt.Stringer) string {
	if s := d.String(); s != "0" {
		return s
	}
	return "none"
}

func maxDelay(p *client.PoolState) int64 {
	if p.MaxQueueDelayMS != nil {
		return *p.MaxQueueDelayMS
	}
	return client.DefaultQueueDelayMS
}

func unsettled(settled bool) string {
	if settled {
		return ""
	}
	return ", less while the nodes agree on who shares it"
}

// rate writes tokens a second with at most one digit after the point.
func rate(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}

func poolAgentTable(p *client.PoolState) *table {
	t := newTable("agent", "forecast", "95 %", "rate", "guarantee", "confidence")
	for _, a := range p.Status.Top {
		t.add(
			text(a.Agent), num(rate(a.Forecast.Mean)), num(rate(a.Forecast.Bound)), num(rate(a.Rate)), num(rate(a.Guarantee)),
			num(strconv.FormatFloat(a.Forecast.Confidence, 'f', 2, 64)),
		)
	}
	return t
}

func (c *cli) poolSetCommand() *cobra.Command {
	var capacity, hardMax, tuner string
	var delay time.Duration
	cmd := c.verb(&cobra.Command{
		Use:   "set NAME",
		Short: "Create or replace a pool",
		Long: `Create or replace a pool. Without --capacity the capacity is estimated from
feedback, up to --hard-max; with both, feedback may raise it above --capacity.`,
		Example: `  clawd pool set gpu --capacity 28000 --max-queue-delay 50ms`,
		Args:    cobra.ExactArgs(1),
	})
	cmd.RunE = c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
		members := map[string]any{"name": args[0]}
		for member, value := range map[string]string{"capacity_per_second": capacity, "hard_max": hardMax} {
			if value != "" {
				members[member] = scalar(value)
			}
		}
		if cmd.Flags().Changed("max-queue-delay") {
			if delay%time.Millisecond != 0 {
				return usagef("--max-queue-delay %v: want whole milliseconds", delay)
			}
			members["max_queue_delay_ms"] = delay.Milliseconds()
		}
		if tuner != "" {
			members["tuner"] = tuner
		}
		var p client.Pool
		if err := decodeStrictly(members, &p); err != nil {
			return usageError{err}
		}
		if err := p.Validate(); err != nil {
			return usageError{err}
		}
		stored, err := cl.Pools.Put(ctx, p)
		if err != nil {
			return err
		}
		return c.done(stored, "set  %s", printable(stored.Name))
	})
	f := cmd.Flags()
	f.StringVar(&capacity, "capacity", "", "what the downstream takes, in tokens a `second`")
	f.StringVar(&hardMax, "hard-max", "", "the most that feedback may raise the estimate to, in tokens a `second`")
	f.DurationVar(&delay, "max-queue-delay", client.DefaultQueueDelayMS*time.Millisecond, "how long requests may wait downstream")
	f.StringVar(&tuner, "tuner", "", "`off`, shadow (only show) or on: let the pool move its own knobs, within rails")
	return cmd
}

func (c *cli) poolListCommand() *cobra.Command {
	var p paging
	cmd := c.verb(&cobra.Command{
		Use:   "list",
		Short: "List pools by name",
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			l, err := cl.Pools.List(ctx, p.options(args))
			if err != nil {
				return err
			}
			return c.show(l, func(io.Writer) error {
				defer c.more(l.Next)
				t := newTable("name", "capacity", "hard max", "queue", "tuner")
				for _, pool := range l.Pools {
					state := client.PoolState{Pool: pool}
					t.add(
						text(pool.Name), num(stated(pool.CapacityPerSecond)), num(stated(pool.HardMax)),
						num(strconv.FormatInt(maxDelay(&state), 10)+"ms"), text(orElse(pool.Tuner, "off")),
					)
				}
				return c.showTable(t)
			})
		}),
	})
	p.flags(cmd)
	return cmd
}

func (c *cli) poolDeleteCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a pool; its agents have their policy's own rate",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.Pools.Delete(ctx, args[0]); err != nil {
				return err
			}
			return c.done(map[string]any{"name": args[0], "deleted": true}, "deleted  %s", printable(args[0]))
		}),
	})
}
