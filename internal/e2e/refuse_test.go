package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/chaos"
	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/witness"
	"github.com/openclaw/clawd/ratelimit"
)

// refuses starts a node that must end by itself, with exit code 1 and one
// sentence that contains the words.
func refuses(t *testing.T, n *fleet.Node, words ...string) {
	t.Helper()
	must(t, n.Launch())
	code, err := n.Ended(within(t, patience))
	must(t, err)
	saysWhy(t, n.Process().Log(), code, words...)
}

func saysWhy(t *testing.T, said string, code int, words ...string) {
	t.Helper()
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	var complaints []string
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "clawd: ") {
			complaints = append(complaints, strings.TrimSpace(line))
		}
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "goroutine ") {
			t.Errorf("it fell over instead of saying why")
		}
	}
	if len(complaints) != 1 || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(complaints[0], w) }) {
		t.Errorf("want one sentence with %q, got %q; all of it:\n%s", words, complaints, said)
	}
}

func TestATakenPortIsSaidInOneSentence(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	for _, which := range []string{"http", "peer", "gossip"} {
		n := add(t, f, which)
		addr := map[string]string{"http": n.HTTP, "peer": n.Peer, "gossip": n.Gossip}[which]
		l, err := net.Listen("tcp", addr)
		must(t, err)
		refuses(t, n, addr, which, "in use")
		must(t, l.Close())
		must(t, n.Start(within(t, patience))) // nothing of the failed start is in the way
		must(t, n.Stop())
	}
}

func TestALockedDataDirectoryIsSaidInOneSentence(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	first := add(t, f, "a")
	must(t, first.Start(within(t, patience)))
	second := add(t, f, "b", "--data-dir", first.DataDir())
	refuses(t, second, first.DataDir())
	f.Ask(t.Context(), first, "x", 1)
	if s := witness.Sum(f.Book.Answers()); s.Admitted != 1 {
		t.Errorf("the first node no longer answers: %+v", s)
	}
}

func TestADataDirectoryThatCannotBeUsedIsSaidInOneSentence(t *testing.T) {
	t.Parallel()
	bin, err := fleet.Binary()
	must(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, []byte("no directory"), 0o600))
	private := filepath.Join(dir, "private")
	must(t, os.Mkdir(private, 0o700))
	for _, c := range []struct {
		name  string
		argv  []string
		data  string
		words string
	}{
		{"a file", nil, file, file},
		// Root may read everything, so another user has to try.
		{"unreadable", []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, filepath.Join(private, "data"), "permission denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			argv := append(slices.Clone(c.argv), bin, "serve", "--data-dir", c.data,
				"--http-addr", "127.0.0.1:0", "--peer-addr", "127.0.0.1:0", "--gossip-addr", "127.0.0.1:0", "--log-format", "text")
			readableByAll(t, filepath.Dir(bin))
			ctx := within(t, patience)
			cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
			cmd.Dir = "/"
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			_ = cmd.Run() // the exit code is looked at below
			saysWhy(t, said.String(), cmd.ProcessState.ExitCode(), "data directory", c.words)
		})
	}
}

func readableByAll(t *testing.T, dir string) {
	t.Helper()
	must(t, os.Chmod(dir, 0o755))
}

func TestADataDirectoryOfAnotherClusterIsRefused(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	n := add(t, f, "a")
	must(t, n.Start(within(t, patience)))
	must(t, n.Stop())
	other := add(t, f, "b", "--data-dir", n.DataDir(), "--cluster", "other")
	refuses(t, other, n.DataDir(), "clawd", "other")
}

func TestANodeOfAnotherClusterIsNotLetIn(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a := add(t, f, "a")
	must(t, a.Start(within(t, patience)))
	b := add(t, f, "b", "--cluster", "other", "--sync-wait", "1s")
	must(t, b.Start(within(t, patience))) // it serves alone
	for _, pair := range [][2]*fleet.Node{{a, b}, {b, a}} {
		state, err := pair[0].StateOf(t.Context(), pair[1].Name)
		must(t, err)
		if state != "" {
			t.Errorf("%s knows %s of another cluster as %q", pair[0].Name, pair[1].Name, state)
		}
	}
}

// TestACorruptStoreIsRefusedOrRight flips bits in every kind of file of a store.
// The node must refuse with a sentence, or serve exactly what it acknowledged.
func TestACorruptStoreIsRefusedOrRight(t *testing.T) {
	for _, c := range []struct {
		name, glob string
		end        func(*fleet.Node) error // a kill leaves a log, a stop a table
	}{
		{"table", "*.sst", (*fleet.Node).Stop},
		{"log", "*.log", (*fleet.Node).Kill},
		{"manifest", "MANIFEST-*", (*fleet.Node).Stop},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			n := add(t, f, "a")
			must(t, n.Start(within(t, patience)))
			putPolicy(t, roomy("sync", "*", ratelimit.Sync), n)
			for range 200 {
				f.Ask(t.Context(), n, "x", 7)
			}
			must(t, c.end(n))
			flipBits(t, filepath.Join(n.DataDir(), "store"), c.glob)

			must(t, n.Launch())
			select {
			case <-n.Process().Exited():
				saysWhy(t, n.Process().Log(), n.Process().ExitCode(), "corrupt")
			case <-time.After(3 * time.Second):
				total, err := fleet.Totals(within(t, patience), "x", n)
				if err != nil {
					t.Logf("it serves, but no total: %v", err)
					return
				}
				checkAccount(t, f, "x", total, 0, 0)
			}
		})
	}
}

// flipBits damages all files that match.
func flipBits(t *testing.T, dir, glob string) {
	t.Helper()
	damaged, err := chaos.FlipBits(dir, glob)
	must(t, err)
	if damaged == 0 {
		t.Fatalf("nothing to damage: %s has no %s", dir, glob)
	}
}

func TestACorruptStoreIsRebuiltFromAPeerWhenAllowed(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b")
	putPolicy(t, roomy("roomy", "*", ratelimit.Async), nodes...)
	for range 50 {
		f.Ask(t.Context(), nodes[1], "x", 3)
	}
	_, err := fleet.Converged(within(t, patience), nodes...)
	must(t, err)
	must(t, nodes[1].Stop())
	flipBits(t, filepath.Join(nodes[1].DataDir(), "store"), "*.sst")
	must(t, nodes[1].Launch("--auto-rebuild"))
	must(t, nodes[1].WaitReady(within(t, patience)))
	total, err := fleet.Totals(within(t, patience), "x", nodes...)
	must(t, err)
	checkAccount(t, f, "x", total, 0, 0)
}
