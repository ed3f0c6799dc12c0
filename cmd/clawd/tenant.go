package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

func (c *cli) tenantCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "tenant",
		Short: "List tenants and bound what they may take",
	}, c.tenantListCommand(), c.tenantSetCommand(), c.tenantDeleteCommand())
}

func (c *cli) tenantListCommand() *cobra.Command {
	var p paging
	cmd := c.verb(&cobra.Command{
		Use:   "list",
		Short: "List tenants with quotas and what of them is in use on the node asked",
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			l, err := cl.Tenants.List(ctx, p.options(args))
			if err != nil {
				return err
			}
			return c.show(l, func(io.Writer) error {
				defer c.more(l.Next)
				return c.showTable(tenantTable(l.Tenants))
			})
		}),
	})
	p.flags(cmd)
	return cmd
}

func tenantTable(tenants []client.Tenant) *table {
	t := newTable("tenant", "requests/s", "agents", "kv bytes", "watchers", "merge share", "refused")
	for _, x := range tenants {
		t.add(text(x.Tenant), num(boundText(x.Quota.RequestsPerSecond)), num(boundText(x.Quota.Agents)),
			num(boundText(x.Quota.KVBytes)), num(boundText(x.Quota.Watchers)), num(boundText(x.Quota.MergeShare)),
			num(itoa(int64(x.Usage.Refused))))
	}
	return t
}

func boundText(n int64) string {
	if n == 0 {
		return "-"
	}
	return itoa(n)
}

func (c *cli) tenantSetCommand() *cobra.Command {
	var q client.Quota
	cmd := c.verb(&cobra.Command{
		Use:     "set NAME",
		Short:   "Make a tenant, or replace all of its quotas",
		Example: "  clawd tenant set acme --requests-per-second 5000 --agents 100000",
		Args:    cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			t, err := cl.Tenants.Put(ctx, args[0], q)
			if err != nil {
				return err
			}
			return c.show(t, func(io.Writer) error { return c.showTable(tenantTable([]client.Tenant{t})) })
		}),
	})
	f := cmd.Flags()
	f.Int64Var(&q.RequestsPerSecond, "requests-per-second", 0, "of the whole cluster, each check of a batch counted; 0 is no bound")
	f.Int64Var(&q.Agents, "agents", 0, "agents with a bucket")
	f.Int64Var(&q.KVBytes, "kv-bytes", 0, "keys and values in the store")
	f.Int64Var(&q.Watchers, "watchers", 0, "open change streams on one node")
	f.Int64Var(&q.MergeShare, "merge-share", 0, "buckets and keys changed a second on one node")
	return cmd
}

func (c *cli) tenantDeleteCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "delete NAME",
		Short: "Drop a tenant's quotas; its keys must have been revoked",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.Tenants.Delete(ctx, args[0]); err != nil {
				return err
			}
			return c.done(map[string]any{"tenant": args[0], "deleted": true}, "deleted  %s", printable(args[0]))
		}),
	})
}
