package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/witness"
	"github.com/openclaw/clawd/node"
	"github.com/openclaw/clawd/ratelimit"
)

// The runbooks of docs/operations.md that are not the subject of another test
// here, each as its page says it. TestEveryRunbookIsATest keeps the two together.

// underLoad offers consumption of one agent of a roomy sync policy to nodes
// until the returned function is called, which waits for the last answer.
func underLoad(t *testing.T, f *fleet.Fleet, nodes ...*fleet.Node) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Offer(ctx, fleet.Load{Nodes: nodes, PerSecond: 40, Agents: []string{"load"}, Seed: 11})
	}()
	return func() { cancel(); <-done }
}

// settled compares what clients were told with what all nodes count.
func settled(t *testing.T, f *fleet.Fleet, nodes ...*fleet.Node) {
	t.Helper()
	_, err := fleet.Converged(within(t, patience), nodes...)
	must(t, err)
	total, err := fleet.Totals(within(t, patience), "load", nodes...)
	must(t, err)
	checkAccount(t, f, "load", total, 0, 0)
	if witness.Sum(f.Book.Answers()).Admitted == 0 {
		t.Error("nothing was admitted, so nothing was proven")
	}
}

func TestRunbookScaleOutAndIn(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b", "c")
	putPolicy(t, roomy("roomy", "load", ratelimit.Sync), nodes...)
	stop := underLoad(t, f, nodes...)
	more := []*fleet.Node{add(t, f, "d"), add(t, f, "e")}
	for _, n := range more {
		must(t, n.Start(within(t, patience)))
	}
	must(t, f.Assembled(within(t, patience), f.Nodes()...))
	stop()
	stop = underLoad(t, f, f.Nodes()...)
	for _, n := range more { // what new nodes have counted alone must not go with them
		must(t, fleet.Until(within(t, patience), func(context.Context) error {
			if witness.Sum(f.Book.Answers(witness.AckedIn(n.Name, 0, f.Since()))).Admitted == 0 {
				return fmt.Errorf("%s has admitted nothing yet", n.Name)
			}
			return nil
		}))
		must(t, n.Stop())
	}
	stop()
	settled(t, f, nodes...)
}

func TestRunbookReplaceANodeThatIsLostWithItsDisk(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b", "c")
	putPolicy(t, roomy("roomy", "load", ratelimit.Sync), nodes...)
	stop := underLoad(t, f, nodes...)
	must(t, fleet.Until(within(t, patience), func(context.Context) error {
		if witness.Sum(f.Book.Answers(witness.AckedIn("c", 0, f.Since()))).Admitted == 0 {
			return fmt.Errorf("c has admitted nothing yet")
		}
		return nil
	}))
	stop()
	// Up to here everybody knows everything: what a node alone knows is lost with its disk.
	_, err := fleet.Converged(within(t, patience), nodes...)
	must(t, err)
	must(t, nodes[2].Kill())
	must(t, os.RemoveAll(nodes[2].DataDir()))
	must(t, fleet.Until(within(t, patience), func(ctx context.Context) error {
		_, err := nodes[0].Client.Cluster.Forget(ctx, "c")
		return err
	}))
	stop = underLoad(t, f, nodes[:2]...)
	replacement := add(t, f, "d")
	must(t, replacement.Start(within(t, patience)))
	must(t, f.Assembled(within(t, patience), nodes[0], nodes[1], replacement))
	stop()
	settled(t, f, nodes[0], nodes[1], replacement)
}

func TestRunbookBackupAndRestore(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b", "c")
	putPolicy(t, roomy("roomy", "load", ratelimit.Sync), nodes...)
	stop := underLoad(t, f, nodes...)
	backup := filepath.Join(t.TempDir(), "backup")
	must(t, fleet.Until(within(t, patience), func(context.Context) error {
		if witness.Sum(f.Book.Answers()).Admitted == 0 {
			return fmt.Errorf("nothing admitted yet")
		}
		return nil
	}))
	info, err := nodes[1].Client.Backup(within(t, patience), backup)
	must(t, err)
	if info.Files == 0 {
		t.Errorf("the backup: %+v", info)
	}
	// The node is lost with its disk and comes back from the backup; what happened since, its peers know.
	_, err = fleet.Converged(within(t, patience), nodes...)
	must(t, err)
	must(t, nodes[1].Kill())
	stop()
	must(t, os.RemoveAll(nodes[1].DataDir()))
	must(t, node.Restore(backup, nodes[1].DataDir()))
	must(t, nodes[1].Start(within(t, patience)))
	must(t, f.Assembled(within(t, patience), nodes...))
	_, err = fleet.Converged(within(t, patience), nodes...)
	must(t, err)
	total, err := fleet.Totals(within(t, patience), "load", nodes...)
	must(t, err)
	// What the node acknowledged between the last look and its end went with it.
	last := witness.Sum(f.Book.Answers(witness.AckedIn("b", 0, f.Since()))).Admitted
	account := witness.AccountOf(f.Book.Answers(witness.Of("load")), total)
	must(t, account.Check(last, 0))
	t.Logf("of %d acknowledged tokens %d went with the disk", account.Acknowledged, account.Forgotten())
}

// Two of three zones are lost at once. The third goes on alone, more
// conservatively; when the others are back, nothing is missing.
func TestRunbookLostZones(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b", "c")
	putPolicy(t, roomy("roomy", "load", ratelimit.Sync), nodes...)
	stop := underLoad(t, f, nodes...)
	must(t, fleet.Until(within(t, patience), func(context.Context) error {
		if witness.Sum(f.Book.Answers()).Admitted < 40 {
			return fmt.Errorf("too little admitted yet")
		}
		return nil
	}))
	must(t, nodes[1].Kill())
	must(t, nodes[2].Kill())
	lost := f.Since()
	must(t, fleet.Until(within(t, patience), func(context.Context) error {
		if witness.Sum(f.Book.Answers(witness.AckedIn("a", lost+time.Second, f.Since()))).Admitted == 0 {
			return fmt.Errorf("the node that is left admits nothing")
		}
		return nil
	}))
	must(t, nodes[1].Start(within(t, patience)))
	must(t, nodes[2].Start(within(t, patience)))
	must(t, f.Assembled(within(t, patience), nodes...))
	stop()
	settled(t, f, nodes...)
}

// A node that starts on a copy of another's disk has the other's identity: it
// does not get to count beside it.
func TestRunbookDuplicateNode(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b")
	putPolicy(t, roomy("roomy", "load", ratelimit.Sync), nodes...)
	stop := underLoad(t, f, nodes...)
	copied := filepath.Join(t.TempDir(), "copy")
	backup := filepath.Join(t.TempDir(), "backup")
	_, err := nodes[1].Client.Backup(within(t, patience), backup)
	must(t, err)
	must(t, node.Restore(backup, copied))
	double := add(t, f, "double", "--data-dir", copied)
	double.SetDataDir(copied)
	must(t, double.Launch())
	// The one that started later carries on; the older ends and says why.
	code, err := nodes[1].Ended(within(t, patience))
	must(t, err)
	if code == 0 || !strings.Contains(nodes[1].Log(), "copy") {
		t.Errorf("it ended with %d and said:\n%s", code, nodes[1].Log())
	}
	must(t, double.WaitReady(within(t, patience)))
	stop()
	settled(t, f, nodes[0], double)
}

// rotateSecrets lists the secrets a node has today. Each restart reads them
// anew, which is what a rotation without a keyring needs.
func TestRunbookRotateTheGossipKeyByRestart(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	key := filepath.Join(t.TempDir(), "gossip.key")
	must(t, os.WriteFile(key, []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 0o600))
	for _, name := range []string{"a", "b", "c"} {
		add(t, f, name, "--gossip-key-file", key)
	}
	nodes := f.Nodes()
	must(t, f.StartAll(within(t, patience)))
	putPolicy(t, roomy("roomy", "load", ratelimit.Sync), nodes...)
	stop := underLoad(t, f, nodes...)
	must(t, os.WriteFile(key, []byte("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"), 0o600))
	for _, n := range nodes { // those with the new key and those with the old are two clusters for a while
		must(t, n.Stop())
		must(t, n.Start(within(t, patience)))
	}
	must(t, f.Assembled(within(t, patience), nodes...))
	stop()
	settled(t, f, nodes...)
}
