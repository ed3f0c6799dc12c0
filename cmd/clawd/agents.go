package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

func (c *cli) agentsCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "agents",
		Short: "List, rank and forget agents",
	}, c.agentsListCommand(), c.agentsTopCommand(), c.agentsDeleteCommand())
}

func (c *cli) agentsListCommand() *cobra.Command {
	var p paging
	cmd := c.verb(&cobra.Command{
		Use:   "list [PREFIX]",
		Short: "List agents by name",
		Args:  cobra.MaximumNArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			l, err := cl.Agents.List(ctx, p.options(args))
			if err != nil {
				return err
			}
			return c.show(l, func(io.Writer) error {
				defer c.more(l.Next)
				return c.showTable(agentTable(l.Agents, false))
			})
		}),
	})
	p.flags(cmd)
	return cmd
}

func (c *cli) agentsTopCommand() *cobra.Command {
	var n int
	cmd := c.verb(&cobra.Command{
		Use:   "top",
		Short: "Show the agents this node admitted most tokens for",
		RunE: c.ask(func(ctx context.Context, cl *client.Client, _ []string) error {
			agents, err := cl.Agents.Top(ctx, n)
			if err != nil {
				return err
			}
			return c.show(client.AgentList{Agents: agents}, func(io.Writer) error {
				return c.showTable(agentTable(agents, true))
			})
		}),
	})
	cmd.Flags().IntVarP(&n, "count", "n", 20, "how many")
	return cmd
}

func agentTable(agents []client.AgentSummary, admitted bool) *table {
	t := newTable("agent", "policy", "level", "limit", "consumed", "refunded")
	if admitted {
		t.header = append(t.header, "admitted")
	}
	for _, a := range agents {
		level := num(itoa(a.Level))
		if a.Level <= 0 {
			level.colour = red
		}
		row := []cell{text(a.Agent), text(a.Policy), level, num(itoa(a.Limit)), num(utoa(a.Consumed)), num(utoa(a.Refunded))}
		if admitted {
			row = append(row, num(utoa(a.Admitted)))
		}
		t.add(row...)
	}
	return t
}

func (c *cli) agentsDeleteCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "delete AGENT",
		Short: "Forget an agent and its totals on all nodes",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.Agents.Delete(ctx, args[0]); err != nil {
				return err
			}
			return c.done(map[string]any{"agent": args[0], "deleted": true}, "deleted  %s", printable(args[0]))
		}),
	})
}
