package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/node"
)

// Exit codes, part of the contract with scripts.
const (
	exitOK     = 0
	exitError  = 1
	exitUsage  = 2
	exitDenied = 3
)

// usageError is a mistake in what was typed or configured.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// silentError sets the exit code after the verb has said everything itself.
type silentError struct{ code int }

func (e silentError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// hintError adds what to do about an error.
type hintError struct {
	err  error
	hint string
}

func (e hintError) Error() string { return e.err.Error() }
func (e hintError) Unwrap() error { return e.err }

func withHint(err error, format string, args ...any) error {
	return hintError{err, fmt.Sprintf(format, args...)}
}

// report says what went wrong, for people, and returns the exit code.
func (c *cli) report(err error) int {
	if err == nil {
		return exitOK
	}
	var silent silentError
	if errors.As(err, &silent) {
		return silent.code
	}
	var usage usageError
	isUsage := errors.As(err, &usage) || !c.started
	err = c.explain(err)
	c.complain(err)
	var hint hintError
	if errors.As(err, &hint) {
		fmt.Fprintf(c.stderr, "  hint: %s\n", hint.hint)
	}
	switch {
	case isUsage:
		if !c.started {
			fmt.Fprintf(c.stderr, "Run '%s --help' for usage.\n", c.commandPath)
		}
		return exitUsage
	case errors.Is(err, client.ErrDenied):
		return exitDenied
	}
	return exitError
}

// complain prints an error on one line, or as a list when it is several.
func (c *cli) complain(err error) {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	if len(lines) == 1 {
		fmt.Fprintf(c.stderr, "clawd: %s\n", lines[0])
		return
	}
	fmt.Fprintf(c.stderr, "clawd: %d problems:\n", len(lines))
	for _, line := range lines {
		fmt.Fprintf(c.stderr, "  - %s\n", line)
	}
}

// explain adds the hint a person needs to errors that come from below.
func (c *cli) explain(err error) error {
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return withHint(fmt.Errorf("cannot reach a node at %s: %w", c.addr, cause(err)),
			"is it running? Start one with 'clawd serve', or name another with --addr or CLAWD_ADDR")
	case errors.Is(err, client.ErrUnauthorized):
		return withHint(err, "put a valid key into OPENCLAW_API_KEY")
	case errors.Is(err, node.ErrAddressInUse):
		return withHint(err, "perhaps another node runs here: choose other ports with --http-addr, --peer-addr and --gossip-addr")
	case errors.Is(err, os.ErrPermission) && c.dataDir != "":
		return withHint(err, "the user that runs clawd needs to own the data directory %s", c.dataDir)
	}
	return err
}

// cause is the innermost reason of a failed connection, without the layers
// that repeat the address.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	if rest, ok := strings.CutPrefix(err.Error(), client.ErrUnreachable.Error()+": "); ok {
		return errors.New(rest)
	}
	return err
}

// oneLine joins the lines of collected complaints.
func oneLine(s string) string {
	return strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
}
