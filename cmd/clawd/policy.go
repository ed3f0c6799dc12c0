package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	yaml "go.yaml.in/yaml/v3"

	"github.com/openclaw/clawd/client"
)

func (c *cli) policyCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use:     "policy",
		Aliases: []string{"policies"},
		Short:   "Read and change the limits",
	}, c.policyGetCommand(), c.policyApplyCommand(), c.policyListCommand(), c.policyDeleteCommand())
}

func (c *cli) policyGetCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "get NAME",
		Short: "Show one policy, in the form apply takes",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			p, err := cl.Policies.Get(ctx, args[0])
			if err != nil {
				return err
			}
			return c.show(p, func(w io.Writer) error { return writePolicyYAML(w, p) })
		}),
	})
}

// writePolicyYAML goes through JSON, which knows the names of the members.
func writePolicyYAML(w io.Writer, p client.Policy) error {
	asJSON, err := json.Marshal(p)
	if err != nil {
		return err
	}
	var doc yaml.Node // keeps the order of the members and the digits of numbers
	if err := yaml.Unmarshal(asJSON, &doc); err != nil {
		return err
	}
	blockStyle(&doc)
	out, err := yaml.Marshal(&doc)
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// blockStyle undoes what parsing JSON as YAML leaves behind: braces and quotes.
func blockStyle(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		blockStyle(child)
	}
}

func (c *cli) policyApplyCommand() *cobra.Command {
	var path string
	cmd := c.verb(&cobra.Command{
		Use:   "apply -f FILE",
		Short: "Create or replace policies from a YAML or JSON file",
		Long: `Create or replace the policies of a file: one policy, a list of them, an object
with "policies", or several YAML documents. Everything is checked before
anything is sent. '-f -' reads standard input.`,
		Example: `  clawd policy apply -f - <<END
  name: paid
  match: "paid:*"
  capacity: 5000
  refill_rate: 5000
  interval_seconds: 3600
  END`,
		RunE: c.ask(func(ctx context.Context, cl *client.Client, _ []string) error {
			policies, err := c.readPolicies(path)
			if err != nil {
				return err
			}
			stored := make([]client.Policy, 0, len(policies))
			for _, p := range policies {
				s, err := cl.Policies.Put(ctx, p)
				if err != nil {
					return fmt.Errorf("policy %s: %w", p.Name, err)
				}
				stored = append(stored, s)
				c.say("applied  %s", printable(p.Name))
			}
			if c.format == formatJSON {
				return c.showJSON(client.PolicyList{Policies: stored})
			}
			return nil
		}),
	})
	cmd.Flags().StringVarP(&path, "file", "f", "", "file with the policies, - for standard input")
	return cmd
}

func (c *cli) readPolicies(path string) ([]client.Policy, error) {
	var (
		in  []byte
		err error
	)
	switch path {
	case "":
		return nil, usagef("policy apply needs -f FILE (or -f - for standard input)")
	case "-":
		in, err = io.ReadAll(c.stdin)
	default:
		in, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usageError{pathless(err, path)}
	}
	policies, err := parsePolicies(bytes.NewReader(in))
	if err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	return policies, nil
}

// parsePolicies reads all documents of r and refuses all of them for one mistake.
func parsePolicies(r io.Reader) ([]client.Policy, error) {
	var out []client.Policy
	dec := yaml.NewDecoder(r)
	for {
		var doc any
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		for _, item := range policyItems(doc) {
			p, err := parsePolicy(item)
			if err != nil {
				return nil, fmt.Errorf("policy %d: %w", len(out)+1, err)
			}
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no policy in it")
	}
	return out, nil
}

// policyItems unwraps a list or {"policies": […]}.
func policyItems(doc any) []any {
	switch v := doc.(type) {
	case nil:
		return nil
	case []any:
		return v
	case map[string]any:
		if list, ok := v["policies"].([]any); ok && len(v) == 1 {
			return list
		}
	}
	return []any{doc}
}

func parsePolicy(item any) (client.Policy, error) {
	var p client.Policy
	if err := decodeStrictly(item, &p); err != nil {
		return p, err
	}
	if p.Name == "" {
		return p, errors.New("name is missing")
	}
	if err := p.Validate(); err != nil {
		return p, fmt.Errorf("%q: %w", p.Name, err)
	}
	return p, nil
}

// decodeStrictly reads what has the JSON form of a policy, say, and refuses members it
// does not have.
func decodeStrictly(item, into any) error {
	asJSON, err := json.Marshal(item)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(asJSON))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return plainJSON(err)
	}
	return nil
}

// plainJSON says a decoding error without the names of Go types.
func plainJSON(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s: a %s does not fit here", orElse(wrong.Field, "document"), wrong.Value)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

func (c *cli) policyListCommand() *cobra.Command {
	var p paging
	cmd := c.verb(&cobra.Command{
		Use:   "list",
		Short: "List policies by name",
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			l, err := cl.Policies.List(ctx, p.options(args))
			if err != nil {
				return err
			}
			return c.show(l, func(io.Writer) error {
				defer c.more(l.Next)
				return c.showTable(policyTable(l.Policies))
			})
		}),
	})
	p.flags(cmd)
	return cmd
}

func policyTable(policies []client.Policy) *table {
	t := newTable("name", "match", "capacity", "refill", "durability", "inline")
	for _, p := range policies {
		inline := "yes"
		if p.AllowInline != nil && !*p.AllowInline {
			inline = "no"
		}
		t.add(
			text(p.Name), text(orElse(p.Match, "-")), num(itoa(p.Capacity)),
			text(p.RefillRate.String()+"/"+interval(p.IntervalSeconds)),
			text(orElse(fmt.Sprint(p.Durability), "async")), text(inline),
		)
	}
	return t
}

func (c *cli) policyDeleteCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a policy; its agents fall to the next that matches",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.Policies.Delete(ctx, args[0]); err != nil {
				return err
			}
			return c.done(map[string]any{"name": args[0], "deleted": true}, "deleted  %s", printable(args[0]))
		}),
	})
}
