package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

func (c *cli) membersCommand() *cobra.Command {
	list := c.membersListCommand("members")
	list.Short = "List members; join, leave, forget"
	list.Args = cobra.ArbitraryArgs // to tell an unknown command from a listing
	show := list.RunE
	list.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return c.needsSubcommand(cmd, args)
		}
		return show(cmd, args)
	}
	list.AddCommand(c.membersListCommand("list"), c.membersJoinCommand(), c.membersLeaveCommand(), c.membersForgetCommand())
	return list
}

func (c *cli) membersListCommand(use string) *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   use,
		Short: "List the members as this node sees them",
		RunE: c.ask(func(ctx context.Context, cl *client.Client, _ []string) error {
			info, err := cl.Cluster.Get(ctx)
			if err != nil {
				return err
			}
			return c.show(info, func(io.Writer) error { return c.showTable(memberTable(info)) })
		}),
	})
}

var stateColours = map[string]colour{
	client.StateReady: green, client.StateJoining: yellow, client.StateLeaving: yellow, client.StateFailed: red, client.StateLeft: faint,
}

// memberTable marks the asked node with a star.
func memberTable(info client.ClusterInfo) *table {
	t := newTable("name", "state", "node", "http", "peer", "staleness", "skew", "lag rows", "version")
	for _, m := range info.Members {
		name := m.Name
		if name == info.Self {
			name += " *"
		}
		t.add(
			text(name), tinted(m.State, stateColours[m.State]), text(m.Node),
			text(orElse(m.HTTPAddr, "-")), text(orElse(m.PeerAddr, "-")),
			num(span(m.StalenessMS)), num(span(m.ClockSkewMS)), num(itoa(m.LagRows)), text(orElse(m.Version, "-")),
		)
	}
	return t
}

func (c *cli) membersJoinCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "join ADDRESS...",
		Short: "Make the node contact others by gossip address (host:port)",
		Args:  cobra.MinimumNArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			n, err := cl.Cluster.Join(ctx, args...)
			if err != nil {
				return err
			}
			return c.done(map[string]any{"joined": n}, "joined  %d of %d answered", n, len(args))
		}),
	})
}

func (c *cli) membersLeaveCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "leave",
		Short: "Make the asked node drain, leave the cluster and stop",
		RunE: c.ask(func(ctx context.Context, cl *client.Client, _ []string) error {
			if err := cl.Cluster.Leave(ctx); err != nil {
				return err
			}
			return c.done(map[string]any{"state": client.StateLeaving}, "leaving  %s", cl.BaseURL())
		}),
	})
}

func (c *cli) membersForgetCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "forget MEMBER",
		Short: "Declare a member (name or node id) lost for good",
		Long: `Declare a member lost for good, so that it holds nothing back any more. It must
be down; should it ever come back with this identity, it is refused and has to
start anew.`,
		Args: cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			f, err := cl.Cluster.Forget(ctx, args[0])
			if err != nil {
				return err
			}
			return c.done(f, "forgotten  %s (%s)", printable(f.Member), f.Node)
		}),
	})
}

// status is the JSON form of the verb of that name.
type status struct {
	Addr    string             `json:"addr"`
	Cluster client.ClusterInfo `json:"cluster"`
	Health  client.HealthInfo  `json:"health"`
}

func (c *cli) statusCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "status",
		Short: "Show how a node and its cluster are",
		RunE: c.ask(func(ctx context.Context, cl *client.Client, _ []string) error {
			info, err := cl.Cluster.Get(ctx)
			if err != nil {
				return err
			}
			health, err := cl.Health.Check(ctx)
			if err != nil {
				return err
			}
			s := status{cl.BaseURL(), info, health}
			return c.show(s, func(w io.Writer) error { return c.writeStatus(w, s) })
		}),
	})
}

var healthColours = map[string]colour{
	client.HealthOK: green, client.HealthDegraded: yellow, client.HealthFailed: red,
}

func (c *cli) writeStatus(w io.Writer, s status) error {
	fmt.Fprintf(w, "%s at %s, cluster %s: %s\n", printable(s.Cluster.Self), s.Addr, printable(s.Cluster.Name),
		c.colourful(s.Health.Status, healthColours[s.Health.Status]))
	for _, check := range s.Health.Checks {
		if check.Status != client.HealthOK {
			fmt.Fprintf(w, "%s  %s: %s\n", c.colourful(check.Status, healthColours[check.Status]), check.Name, printable(check.Detail))
		}
	}
	fmt.Fprintln(w)
	return c.showTable(memberTable(s.Cluster))
}
