package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// format is the value of -o.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
)

// String, Set and Type make format a flag value.
func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "format" }
func (f *format) Set(s string) error {
	switch format(s) {
	case formatTable, formatJSON:
		*f = format(s)
		return nil
	}
	return fmt.Errorf("want table or json")
}

// show prints v as the one JSON document of -o json, or lets human print it.
func (c *cli) show(v any, human func(w io.Writer) error) error {
	if c.format == formatJSON {
		return c.showJSON(v)
	}
	return human(c.stdout)
}

// showJSON prints v indented for eyes, in one piece for pipes.
func (c *cli) showJSON(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	if isTerminal(c.stdout) {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(v)
}

// showTable prints t to the terminal or pipe behind stdout.
func (c *cli) showTable(t *table) error { return t.write(c.stdout, wantsColour(c.stdout)) }

// colourful paints s when stdout is a terminal.
func (c *cli) colourful(s string, col colour) string {
	return paint(s, col, wantsColour(c.stdout))
}

// say prints one line for people; -o json has no use for it.
func (c *cli) say(msg string, args ...any) {
	if c.format != formatJSON {
		fmt.Fprintf(c.stdout, msg+"\n", args...)
	}
}

// done reports a change that has nothing more to tell.
func (c *cli) done(v any, msg string, args ...any) error {
	return c.show(v, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, msg+"\n", args...)
		return err
	})
}

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
func itoa(n int64) string  { return strconv.FormatInt(n, 10) }

// span shows milliseconds the way a person says them: 0, 340ms, 2.5s, 3m20s.
func span(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d == 0:
		return "0"
	case d.Abs() < time.Second:
		return d.String()
	case d.Abs() < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
