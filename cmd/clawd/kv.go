package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/client"
)

func (c *cli) kvCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "kv",
		Short: "Read and write keys: registers (last writer wins) and counters",
	}, c.kvGetCommand(), c.kvPutCommand(), c.kvIncrCommand(), c.kvDelCommand(), c.kvListCommand(), c.kvWatchCommand())
}

func (c *cli) kvGetCommand() *cobra.Command {
	return c.verb(&cobra.Command{
		Use:   "get KEY",
		Short: "Print a key's value, byte for byte; a counter as a number",
		Args:  cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			e, err := cl.KV.Get(ctx, args[0])
			if err != nil {
				return err
			}
			return c.show(entryDocument(args[0], e), func(w io.Writer) error {
				if e.Counter != nil {
					_, err := fmt.Fprintln(w, *e.Counter)
					return err
				}
				if _, err := w.Write(e.Value); err != nil {
					return err
				}
				if isTerminal(w) { // keep the prompt off the value's last line
					_, err = fmt.Fprintln(w)
				}
				return err
			})
		}),
	})
}

// entryDocument is the JSON form of an entry, that of a listing with values.
func entryDocument(key string, e client.Entry) client.KeyInfo {
	info := client.KeyInfo{Key: key, Kind: client.KindRegister, ETag: e.ETag}
	if e.Counter != nil {
		info.Kind = client.KindCounter
		info.Value.Counter = e.Counter
		return info
	}
	info.ContentType = e.ContentType
	info.Size = len(e.Value)
	if !e.ExpiresAt.IsZero() {
		info.ExpiresAt = e.ExpiresAt.UTC().Format(time.RFC3339)
	}
	if utf8.Valid(e.Value) {
		s := string(e.Value)
		info.Text = &s
	} else {
		s := base64.StdEncoding.EncodeToString(e.Value)
		info.Base64 = &s
	}
	return info
}

func (c *cli) kvPutCommand() *cobra.Command {
	var (
		o    client.PutOptions
		path string
	)
	cmd := c.verb(&cobra.Command{
		Use:   "put KEY [VALUE]",
		Short: "Store a value, from the argument, --file or standard input",
		Example: `  clawd kv put greeting hello --content-type text/plain --ttl 1h
  clawd kv put logo --file logo.png --content-type image/png
  clawd kv put lock me --if-none-match '*'`,
		Args: cobra.RangeArgs(1, 2),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			value, err := c.readValue(args[1:], path)
			if err != nil {
				return err
			}
			etag, err := cl.KV.Put(ctx, args[0], value, o)
			if err != nil {
				return err
			}
			return c.done(map[string]any{"key": args[0], "etag": etag}, "stored  %s  %s", printable(args[0]), etag)
		}),
	})
	f := cmd.Flags()
	f.StringVarP(&path, "file", "f", "", "file with the value, - for standard input")
	f.StringVar(&o.ContentType, "content-type", "", "media type (default application/octet-stream)")
	f.DurationVar(&o.TTL, "ttl", 0, "forget the key after this long (default: keep)")
	f.StringVar(&o.IfMatch, "if-match", "", "only if the key has this ETag")
	f.StringVar(&o.IfNoneMatch, "if-none-match", "", "'*': only if the key does not exist")
	return cmd
}

// readValue takes the value from where it was given; standard input last.
func (c *cli) readValue(args []string, path string) ([]byte, error) {
	switch {
	case len(args) > 0 && path != "":
		return nil, usagef("the value is given twice: as an argument and by --file")
	case len(args) > 0:
		return []byte(args[0]), nil
	case path != "" && path != "-":
		value, err := os.ReadFile(path)
		if err != nil {
			return nil, usageError{pathless(err, path)}
		}
		return value, nil
	case path == "" && isTerminalReader(c.stdin):
		return nil, usagef("kv put needs a value: as an argument, by --file, or on standard input")
	}
	// One byte more than fits lets the node say that it is too long.
	return io.ReadAll(io.LimitReader(c.stdin, client.MaxValueBytes+1))
}

func (c *cli) kvIncrCommand() *cobra.Command {
	var by int64
	cmd := c.verb(&cobra.Command{
		Use:   "incr KEY [BY]",
		Short: "Add to a counter (1, or BY, or --by -5) and print its value",
		Args:  cobra.RangeArgs(1, 2),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			amount := by
			if len(args) > 1 {
				n, err := strconv.ParseInt(args[1], 10, 64)
				if err != nil {
					return usagef("%q is not a whole number", args[1])
				}
				amount = n
			}
			if amount == 0 {
				return usagef("adding 0 changes nothing")
			}
			n, err := cl.KV.Increment(ctx, args[0], amount)
			if err != nil {
				return err
			}
			return c.done(n, "%d", n.Value)
		}),
	})
	cmd.Flags().Int64Var(&by, "by", 1, "how much to add; may be negative")
	return cmd
}

func (c *cli) kvDelCommand() *cobra.Command {
	var ifMatch string
	cmd := c.verb(&cobra.Command{
		Use:     "del KEY",
		Aliases: []string{"delete"},
		Short:   "Delete a key",
		Args:    cobra.ExactArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.KV.Delete(ctx, args[0], ifMatch); err != nil {
				return err
			}
			return c.done(map[string]any{"key": args[0], "deleted": true}, "deleted  %s", printable(args[0]))
		}),
	})
	cmd.Flags().StringVar(&ifMatch, "if-match", "", "only if the key has this ETag")
	return cmd
}

func (c *cli) kvListCommand() *cobra.Command {
	var (
		p      paging
		values bool
	)
	cmd := c.verb(&cobra.Command{
		Use:   "list [PREFIX]",
		Short: "List keys by name",
		Args:  cobra.MaximumNArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			l, err := cl.KV.List(ctx, client.KeyListOptions{ListOptions: p.options(args), Values: values})
			if err != nil {
				return err
			}
			return c.show(l, func(io.Writer) error {
				defer c.more(l.Next)
				return c.showTable(keyTable(l.Keys, values))
			})
		}),
	})
	p.flags(cmd)
	cmd.Flags().BoolVar(&values, "values", false, "with the contents")
	return cmd
}

func keyTable(keys []client.KeyInfo, values bool) *table {
	t := newTable("key", "kind", "size", "content type", "etag", "expires", "value")
	if !values {
		t.header = t.header[:len(t.header)-1]
	}
	for _, k := range keys {
		bytes := itoa(int64(k.Size))
		if k.Kind == client.KindCounter {
			bytes = "-"
		}
		row := []cell{
			text(k.Key), text(k.Kind), num(bytes), text(orElse(k.ContentType, "-")),
			text(orElse(k.ETag, "-")), text(orElse(k.ExpiresAt, "-")),
		}
		if values {
			row = append(row, cell{text: shortValue(k.Value, k.ContentType)})
		}
		t.add(row...)
	}
	return t
}

func (c *cli) kvWatchCommand() *cobra.Command {
	var (
		o     client.WatchOptions
		count int
	)
	cmd := c.verb(&cobra.Command{
		Use:   "watch [PREFIX]",
		Short: "Print changes of keys as they happen, until interrupted",
		Long: `Print changes of keys as they happen, until interrupted. A broken connection is
taken up again after the last change seen. '-o json' prints one document per
change and line.`,
		Args: cobra.MaximumNArgs(1),
		RunE: c.ask(func(ctx context.Context, cl *client.Client, args []string) error {
			if len(args) > 0 {
				o.Prefix = args[0]
			}
			begun := sync.OnceFunc(func() { fmt.Fprintln(c.stderr, "watching") })
			o.Opened = func(string) { begun() }
			seen := 0
			for e, err := range cl.KV.Watch(ctx, o) {
				if err != nil {
					return err
				}
				if err := c.showEvent(e); err != nil {
					return err
				}
				if seen++; seen == count {
					return nil
				}
			}
			return nil
		}),
	})
	f := cmd.Flags()
	f.StringVar(&o.Prefix, "prefix", "", "only keys that start with it (also as the argument)")
	f.StringVar(&o.After, "after", "", "id of the last change seen; those since then come first")
	f.IntVarP(&count, "count", "n", 0, "stop after so many changes (0 = never)")
	return cmd
}

func (c *cli) showEvent(e client.Event) error {
	if c.format == formatJSON {
		return c.showJSON(e)
	}
	verb := c.colourful(fmt.Sprintf("%-6s", e.Type), eventColours[e.Type])
	line := verb + "  " + printable(e.Key)
	if value := shortValue(e.Value, e.ContentType); value != "" {
		line += "  " + value
	}
	_, err := fmt.Fprintln(c.stdout, line)
	return err
}

var eventColours = map[string]colour{
	client.EventPut: green, client.EventDelete: red, client.EventReset: yellow,
}

// shownValue is how many bytes of a value a line shows.
const shownValue = 80

// shortValue shows a content on one line.
func shortValue(v client.Value, contentType string) string {
	switch {
	case v.Counter != nil:
		return itoa(*v.Counter)
	case v.Text != nil && len(*v.Text) > shownValue:
		return printable(strings.ToValidUTF8((*v.Text)[:shownValue], "")) + "…"
	case v.Text != nil:
		return printable(*v.Text)
	case v.Base64 != nil:
		return "(" + contentType + ")"
	}
	return ""
}
