package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/buildinfo"
)

// defaultAddr is the node an operator's verb asks when told nothing.
const defaultAddr = "http://127.0.0.1:8080"

// cli is one run of the program: its streams, and what the flags every verb
// has were set to.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	addr    string
	timeout time.Duration
	format  format

	started     bool   // a verb's own code began; errors before that are usage
	commandPath string // for "Run '… --help'"
	dataDir     string // set by the verbs that open one, for hints
}

func newCLI(stdin io.Reader, stdout, stderr io.Writer) *cli {
	return &cli{stdin: stdin, stdout: stdout, stderr: stderr, format: formatTable, commandPath: "clawd"}
}

// ctx is the root of every verb's context. Verbs end on the first interrupt by
// its default action; serve alone watches signals, since it has to drain.
func (c *cli) ctx() context.Context { return context.Background() }

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "clawd",
		Short: "A key-value store with a rate limiter for AI agents; every node an equal peer",
		Long: `clawd answers "may this agent have so many tokens now?" from memory, keeps its
facts on disk and converges with its peers. One node needs no configuration:

  clawd serve
  clawd consume agent-42 --tokens 5

Exit codes: 0 ok, 1 error, 2 wrong usage or configuration, 3 denied.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			c.started = true
		},
		Version:               buildinfo.Get().Version,
		DisableFlagsInUseLine: true,
		Args:                  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return c.needsSubcommand(cmd, args)
		},
	}
	root.SetVersionTemplate("clawd {{.Version}}\n")
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		c.commandPath = cmd.CommandPath()
		return usageError{err}
	})
	root.AddGroup(
		&cobra.Group{ID: groupNode, Title: "Run a node:"},
		&cobra.Group{ID: groupLimit, Title: "Limit agents:"},
		&cobra.Group{ID: groupMoney, Title: "Bill usage:"},
		&cobra.Group{ID: groupStore, Title: "Store keys:"},
		&cobra.Group{ID: groupCluster, Title: "Look after the cluster:"},
		&cobra.Group{ID: groupAccess, Title: "Decide who may do what:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, cmd := range cmds {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add(groupNode, c.serveCommand(), c.configCommand(), c.backupCommand(), c.restoreCommand(), c.healthcheckCommand())
	add(groupLimit, c.consumeCommand(), c.peekCommand(), c.refundCommand(), c.resetCommand(), c.agentsCommand(), c.policyCommand(), c.poolCommand(), c.replayCommand())
	add(groupMoney, c.priceCommand(), c.usageCommand())
	add(groupStore, c.kvCommand())
	add(groupCluster, c.statusCommand(), c.membersCommand(), c.verifyCommand())
	add(groupAccess, c.keyCommand(), c.tenantCommand())
	root.AddCommand(c.costCommand(), c.versionCommand(), c.manCommand())
	return root
}

// Groups of verbs in the help.
const (
	groupNode    = "node"
	groupLimit   = "limit"
	groupMoney   = "money"
	groupStore   = "store"
	groupCluster = "cluster"
	groupAccess  = "access"
)

// verb is a command that asks a node: it has --addr, --timeout and -o.
func (c *cli) verb(cmd *cobra.Command) *cobra.Command {
	f := cmd.Flags()
	f.StringVar(&c.addr, "addr", orElse(os.Getenv("CLAWD_ADDR"), defaultAddr), "URL of the node to ask (CLAWD_ADDR)")
	f.DurationVar(&c.timeout, "timeout", client.DefaultTimeout, "how long to wait for the node's answer")
	return c.printing(cmd)
}

// printing gives a command -o.
func (c *cli) printing(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().VarP(&c.format, "output", "o", "how to print: table or json (one document)")
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(
		[]string{string(formatTable), string(formatJSON)}, cobra.ShellCompDirectiveNoFileComp)))
	return c.counting(cmd)
}

// counting makes a wrong number of arguments a usage error that says what was
// expected.
func (c *cli) counting(cmd *cobra.Command) *cobra.Command {
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		c.commandPath = cmd.CommandPath()
		if err := check(cmd, args); err != nil {
			return usagef("%s takes %s, got %d argument(s)", cmd.CommandPath(), expected(cmd), len(args))
		}
		return nil
	}
	return cmd
}

// expected is the part of the usage line after the verb.
func expected(cmd *cobra.Command) string {
	_, rest, _ := strings.Cut(cmd.Use, " ")
	if rest == "" {
		return "no arguments"
	}
	return rest
}

// group is a command that only has subcommands.
func (c *cli) group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.RunE = c.needsSubcommand
	cmd.Args = cobra.ArbitraryArgs
	cmd.DisableFlagsInUseLine = true
	cmd.AddCommand(subs...)
	return cmd
}

// needsSubcommand is what a group says when run by itself: its help, as an
// error, and which command was probably meant.
func (c *cli) needsSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		cmd.SetOut(c.stderr)
		_ = cmd.Help()
		return silentError{exitUsage}
	}
	c.started, c.commandPath = false, cmd.CommandPath()
	err := usagef("%s has no command %q", cmd.CommandPath(), args[0])
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return withHint(err, "did you mean '%s %s'?", cmd.CommandPath(), near[0])
	}
	return err
}

// client connects to the node of --addr.
func (c *cli) client() (*client.Client, error) { return c.clientOf(c.addr, client.Options{}) }

// clientOf connects to a node with the key of OPENCLAW_API_KEY. The key is not a
// flag, since flags show in the list of processes.
func (c *cli) clientOf(addr string, o client.Options) (*client.Client, error) {
	o.APIKey = strings.TrimSpace(os.Getenv("OPENCLAW_API_KEY")) // often read from a file that ends with a newline
	o.Timeout = c.timeout
	o.UserAgent = "clawd/" + buildinfo.Get().Version
	cl, err := client.New(addr, o)
	if err != nil {
		return nil, usageError{err}
	}
	return cl, nil
}

// ask adapts a verb that needs a client to cobra.
func (c *cli) ask(verb func(ctx context.Context, cl *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		return verb(cmd.Context(), cl, args)
	}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// must is for mistakes in the code of the program itself.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("clawd: %v", err))
	}
}
