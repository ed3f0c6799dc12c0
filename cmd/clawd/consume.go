package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

// question is AGENT [TOKENS] with the flags that go with them.
type question struct {
	tokens int64
	given  func() bool // --tokens, even if it is 0
	policy policyValue
}

func (q *question) flags(cmd *cobra.Command) {
	q.given = func() bool { return cmd.Flags().Changed("tokens") }
	cmd.Flags().Int64VarP(&q.tokens, "tokens", "n", 0, "how many tokens (also as the second argument)")
}

func (q *question) policyFlag(cmd *cobra.Command) {
	cmd.Flags().Var(&q.policy, "policy", "limit to bring along, such as 100/1m")
}

// read settles how many tokens are meant; fallback is for neither.
func (q *question) read(args []string, fallback int64) (agent string, tokens int64, err error) {
	switch {
	case len(args) > 1 && q.given():
		return "", 0, usagef("the number of tokens is given twice: %s and --tokens %d", args[1], q.tokens)
	case len(args) > 1:
		tokens, err = strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return "", 0, usagef("%q is not a whole number of tokens", args[1])
		}
	case q.given():
		tokens = q.tokens
	default:
		return args[0], fallback, nil
	}
	if tokens < 1 {
		return "", 0, usagef("%d tokens: want at least 1", tokens)
	}
	return args[0], tokens, nil
}

func (q *question) inline() (p client.InlinePolicy, given bool) {
	if q.policy.policy.Capacity == 0 {
		return p, false
	}
	return client.InlinePolicy{
		Capacity:        q.policy.policy.Capacity,
		RefillRate:      q.policy.policy.RefillRate,
		IntervalSeconds: q.policy.policy.IntervalSeconds,
	}, true
}

func (c *cli) consumeCommand() *cobra.Command {
	var q question
	cmd := c.verb(&cobra.Command{
		Use:   "consume AGENT [TOKENS]",
		Short: "Take tokens for an agent; exit code 3 when denied",
		Example: `  clawd consume agent-42
  clawd consume agent-42 --tokens 250
  clawd consume agent-42 5 --policy 100/1m -o json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			agent, tokens, err := q.read(args, 1)
			if err != nil {
				return err
			}
			var d client.Decision
			if p, given := q.inline(); given {
				d, err = cl.Agents.ConsumeInline(ctx, agent, tokens, p)
			} else {
				d, err = cl.Agents.Consume(ctx, agent, tokens)
			}
			if err != nil {
				return err
			}
			return c.showDecision(d)
		}),
	})
	q.flags(cmd)
	q.policyFlag(cmd)
	return cmd
}

func (c *cli) showDecision(d client.Decision) error {
	err := c.show(d, func(w io.Writer) error {
		verdict, wait := c.colourful("allowed", green), ""
		if !d.Allowed {
			verdict = c.colourful("denied", red)
			wait = ", retry in " + span(d.RetryAfterMS)
		}
		_, err := fmt.Fprintf(w, "%s  %s  %s, %d of %d left%s\n",
			verdict, printable(d.Agent), tokens(d.Tokens), d.Remaining, d.Limit, wait)
		return err
	})
	if err == nil && !d.Allowed {
		return silentError{exitDenied}
	}
	return err
}

func (c *cli) peekCommand() *cobra.Command {
	var q question
	cmd := c.verb(&cobra.Command{
		Use:   "peek AGENT [TOKENS]",
		Short: "Explain an agent and take nothing; with TOKENS: would they pass? (3 = no)",
		Example: `  clawd peek agent-42
  clawd peek agent-42 250`,
		Args: cobra.RangeArgs(1, 2),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			agent, tokens, err := q.read(args, 0)
			if err != nil {
				return err
			}
			var a client.Agent
			if tokens > 0 {
				a, err = cl.Agents.Peek(ctx, agent, tokens)
			} else {
				a, err = cl.Agents.Get(ctx, agent)
			}
			if err != nil {
				return err
			}
			if err := c.show(a, func(io.Writer) error { return c.explainAgent(a, tokens) }); err != nil {
				return err
			}
			if a.WouldAllow != nil && !*a.WouldAllow {
				return silentError{exitDenied}
			}
			return nil
		}),
	})
	q.flags(cmd)
	return cmd
}

// explainAgent prints why an agent gets the answers it gets.
func (c *cli) explainAgent(a client.Agent, asked int64) error {
	if a.WouldAllow != nil {
		if *a.WouldAllow {
			c.say("%s would be %s", tokens(asked), c.colourful("allowed", green))
		} else {
			c.say("%s would be %s, retry in %s", tokens(asked), c.colourful("denied", red), span(a.RetryAfterMS))
		}
	}
	policy := policyValue{a.Policy}
	facts := []struct{ name, value string }{
		{"agent", printable(a.Agent)},
		{"policy", fmt.Sprintf("%s (%s, %s)", printable(orElse(a.Policy.Name, "-")), policy.String(), a.PolicySource)},
		{"level", fmt.Sprintf("%d of %d", a.Level, a.Limit)},
		{"full in", span(a.ResetMS)},
		{"refill", fmt.Sprintf("%.6g tokens/s (%s)", a.Refill.TokensPerSecond, a.Refill.Source)},
		{"consumed", fmt.Sprintf("%d, refunded %d (lifetime)", a.Consumed, a.Refunded)},
		{"overshoot", fmt.Sprintf("at most %d tokens, view is %s old", a.OvershootBound, span(a.StalenessMS))},
	}
	for _, f := range facts {
		c.say("%-10s %s", f.name, f.value)
	}
	if len(a.Origins) == 0 {
		return nil
	}
	c.say("")
	t := newTable("node", "run", "consumed", "refunded", "age")
	for _, o := range a.Origins {
		t.add(text(o.Node), text(o.Run), num(utoa(o.Consumed)), num(utoa(o.Refunded)), num(span(o.AgeMS)))
	}
	return c.showTable(t)
}

func (c *cli) refundCommand() *cobra.Command {
	var q question
	cmd := c.verb(&cobra.Command{
		Use:     "refund AGENT TOKENS",
		Short:   "Give tokens back, never more than were consumed",
		Example: `  clawd refund agent-42 250`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			agent, tokens, err := q.read(args, 0)
			if err != nil {
				return err
			}
			if tokens == 0 {
				return usagef("refund needs the number of tokens to give back")
			}
			var r client.Refund
			if p, given := q.inline(); given {
				r, err = cl.Agents.RefundInline(ctx, agent, tokens, p)
			} else {
				r, err = cl.Agents.Refund(ctx, agent, tokens)
			}
			if err != nil {
				return err
			}
			return c.show(r, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "refunded  %s  %d of %d tokens, %d of %d left\n",
					printable(r.Agent), r.Refunded, r.Tokens, r.Remaining, r.Limit)
				return err
			})
		}),
	})
	q.flags(cmd)
	q.policyFlag(cmd)
	return cmd
}

func (c *cli) resetCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "reset AGENT",
		Short: "Fill an agent's buckets on all nodes; lifetime totals stay",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.Agents.Reset(ctx, args[0]); err != nil {
				return err
			}
			return c.done(map[string]any{"agent": args[0], "reset": true}, "reset  %s", printable(args[0]))
		}),
	})
}

func tokens(n int64) string {
	if n == 1 {
		return "1 token"
	}
	return itoa(n) + " tokens"
}
