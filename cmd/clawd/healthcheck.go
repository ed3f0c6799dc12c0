package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

func (c *cli) healthcheckCommand() *cobra.Command {
	var live bool
	cmd := c.verb(&cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 when the node is ready (or alive), 1 when not",
		Long: `Exit 0 when the node answers that it is ready, 1 when not, and say why. Made for
container health checks: HEALTHCHECK CMD ["clawd", "healthcheck"].`,
		RunE: c.ask(func(ctx context.Context, cl *client.Client, _ []string) error {
			if live {
				if err := cl.Health.Live(ctx); err != nil {
					return err
				}
				return c.done(client.HealthInfo{Status: client.HealthOK}, "alive")
			}
			return c.ready(ctx, cl)
		}),
	})
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether the process answers, not whether it should get traffic")
	return cmd
}

func (c *cli) ready(ctx context.Context, cl *client.Client) error {
	health, err := cl.Health.Check(ctx)
	if err != nil {
		return err
	}
	if health.Status != client.HealthFailed {
		return c.done(health, "ready")
	}
	if c.format == formatJSON {
		if err := c.showJSON(health); err != nil {
			return err
		}
		return silentError{exitError}
	}
	return errors.New("not ready: " + reasons(health))
}

// reasons lists what keeps a node from being ready.
func reasons(h client.HealthInfo) string {
	var failed []string
	for _, check := range h.Checks {
		if check.Status == client.HealthFailed {
			failed = append(failed, strings.TrimSuffix(check.Name+": "+check.Detail, ": "))
		}
	}
	return orElse(strings.Join(failed, ", "), "the node does not say why")
}
