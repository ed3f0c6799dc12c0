package main

import (
	"context"
	"net/url"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/node"
)

func (c *cli) backupCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "backup DIRECTORY",
		Short: "Make a running node write a copy of its store into a directory of its machine",
		Long: `Make a running node write a consistent copy of its store into a directory on its
own machine, which must not exist yet or be empty. The node keeps serving.`,
		Example: `  clawd backup /var/backups/clawd-2026-11-22`,
		Args:    cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			dir, err := nodePath(cl.BaseURL(), args[0])
			if err != nil {
				return err
			}
			b, err := cl.Backup(ctx, dir)
			if err != nil {
				return err
			}
			return c.done(b, "saved  %s  %d files, %s", b.Directory, b.Files, aboutSize(b.Bytes))
		}),
	})
}

// nodePath makes a path absolute when this machine is the node's; a relative
// path means nothing on another one.
func nodePath(base, path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	switch u.Hostname() {
	case "127.0.0.1", "::1", "localhost":
		return filepath.Abs(path)
	}
	return "", usagef("the directory is one of the node's machine, %s: give it as an absolute path", u.Hostname())
}

func (c *cli) restoreCommand() *cobra.Command {
	var dataDir string
	cmd := c.printing(&cobra.Command{
		Use:   "restore BACKUP",
		Short: "Fill the data directory of a stopped node from a backup",
		Long: `Check a backup and copy it into a data directory, which must not exist yet or be
empty. Start the node afterwards; it catches up with its peers by itself.`,
		Example: `  clawd restore /var/backups/clawd-2026-11-22 --data-dir ./clawd-data`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c.dataDir = dataDir
			if err := node.Restore(args[0], dataDir); err != nil {
				return err
			}
			return c.done(map[string]any{"backup": args[0], "data_dir": dataDir}, "restored  %s  from %s", dataDir, args[0])
		},
	})
	cmd.Flags().StringVar(&dataDir, "data-dir", node.DefaultDataDir, "directory to fill")
	return cmd
}
