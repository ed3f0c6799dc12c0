package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

func (c *cli) keyCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "key",
		Short: "Make, list, rotate and revoke API keys",
		Long: `Make, list, rotate and revoke API keys.

As long as no key exists, a node serves its own machine and nobody else. The
first key must be of role admin and is made on a node's own machine; from then
on every call needs one, in OPENCLAW_API_KEY.

Roles: admin, operator (the cluster, and its own tenant), tenant-admin (all of a
tenant), consumer (takes tokens, uses the store), read-only, metrics.`,
	}, c.keyCreateCommand(), c.keyListCommand(), c.keyRotateCommand(), c.keyRevokeCommand())
}

func (c *cli) keyCreateCommand() *cobra.Command {
	var key client.NewAPIKey
	var expires time.Duration
	cmd := c.verb(&cobra.Command{
		Use:   "create",
		Short: "Make a key; it is shown once",
		Example: `  clawd key create --role admin
  clawd key create --role consumer --tenant acme --expires 720h`,
		RunE: c.ask(func(ctx context.Context, cl *client.Client, _ []string) error {
			switch {
			case key.Role == "":
				return usagef("--role is missing: admin, operator, tenant-admin, consumer, read-only or metrics")
			case expires < 0 || expires > 0 && expires < time.Second:
				return usagef("--expires %v: want at least 1s", expires)
			}
			key.ExpiresInSeconds = int64(expires / time.Second)
			made, err := cl.Keys.Create(ctx, key)
			if err != nil {
				return err
			}
			return c.showSecret(made)
		}),
	})
	f := cmd.Flags()
	f.StringVar(&key.Role, "role", "", "what it may do (required)")
	f.StringVar(&key.Tenant, "tenant", "", "whose it is (default: the tenant of the key you use)")
	f.StringVar(&key.Name, "name", "", "what it is for, shown in listings")
	f.DurationVar(&expires, "expires", 0, "how long it lives, such as 720h (default: for ever)")
	must(cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(
		[]string{"admin", "operator", "tenant-admin", "consumer", "read-only", "metrics"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// showSecret prints a new key, the only time anybody can.
func (c *cli) showSecret(k client.APIKey) error {
	return c.show(k, func(w io.Writer) error {
		if err := c.showTable(apiKeyTable([]client.APIKey{k})); err != nil {
			return err
		}
		_, err := io.WriteString(w, "\n"+k.Key+"\n\nIt is not shown again. Use it as OPENCLAW_API_KEY.\n")
		return err
	})
}

func (c *cli) keyListCommand() *cobra.Command {
	var after string
	var limit int
	cmd := c.verb(&cobra.Command{
		Use:   "list",
		Short: "List keys, ended ones for 30 days",
		RunE: c.ask(func(ctx context.Context, cl *client.Client, _ []string) error {
			l, err := cl.Keys.List(ctx, after, limit)
			if err != nil {
				return err
			}
			return c.show(l, func(io.Writer) error {
				defer c.more(l.Next)
				return c.showTable(apiKeyTable(l.Keys))
			})
		}),
	})
	cmd.Flags().StringVar(&after, "after", "", "begin after this id")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return cmd
}

var apiKeyColours = map[string]colour{client.KeyLive: green, client.KeyExpired: faint, client.KeyRevoked: red}

func apiKeyTable(keys []client.APIKey) *table {
	t := newTable("id", "role", "tenant", "state", "created", "ends", "name")
	for _, k := range keys {
		ends := "-"
		if k.ExpiresAt != nil {
			ends = *k.ExpiresAt
		}
		t.add(text(k.ID), text(k.Role), text(k.Tenant), tinted(k.State, apiKeyColours[k.State]),
			text(k.CreatedAt), text(ends), text(orElse(k.Name, "-")))
	}
	return t
}

func (c *cli) keyRotateCommand() *cobra.Command {
	var grace time.Duration
	cmd := c.verb(&cobra.Command{
		Use:   "rotate ID",
		Short: "Make a key like this one, which ends after --grace",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if grace < 0 {
				return usagef("--grace %v is negative", grace)
			}
			made, err := cl.Keys.Rotate(ctx, args[0], grace)
			if err != nil {
				return err
			}
			return c.showSecret(made)
		}),
	})
	cmd.Flags().DurationVar(&grace, "grace", 0, "how long the old key still works (default: not at all)")
	return cmd
}

func (c *cli) keyRevokeCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "revoke ID",
		Short: "End a key for good, on all nodes within a second",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.Keys.Revoke(ctx, args[0]); err != nil {
				return err
			}
			return c.done(map[string]any{"id": args[0], "revoked": true}, "revoked  %s", printable(args[0]))
		}),
	})
}
