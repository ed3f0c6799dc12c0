package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/witness"
	"github.com/openclaw/clawd/node"
)

// ahead is how fast the clock of serveAhead is.
const ahead = time.Hour

// serveAhead is clawd serve with a clock that is an hour fast. This binary runs it
// when it is called like clawd; see TestMain.
func serveAhead(args []string) int {
	var o node.Options
	f := flag.NewFlagSet("serve", flag.ExitOnError)
	f.StringVar(&o.Name, "name", "", "")
	f.StringVar(&o.DataDir, "data-dir", "", "")
	f.StringVar(&o.HTTPAddr, "http-addr", "", "")
	f.StringVar(&o.PeerAddr, "peer-addr", "", "")
	f.StringVar(&o.GossipAddr, "gossip-addr", "", "")
	f.String("log-format", "", "")
	_ = f.Parse(args) // exits
	o.Now = func() time.Time { return time.Now().Add(ahead) }
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	n, err := node.Open(ctx, o)
	if err == nil {
		<-n.Done()
		err = n.Close(context.WithoutCancel(ctx))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestAClockThatWentBackwardsBlocksNobodyAndForgetsNothing starts a node on what
// it wrote when its clock was an hour fast.
func TestAClockThatWentBackwardsBlocksNobodyAndForgetsNothing(t *testing.T) {
	t.Parallel()
	fast := fleet.New(os.Args[0], t.TempDir())
	t.Cleanup(func() { must(t, fast.Close()) })
	before, err := fast.Add("a")
	must(t, err)
	must(t, before.Start(within(t, patience)))
	if got := fast.Ask(t.Context(), before, "x", 600).Verdict; got != witness.Admitted {
		t.Fatalf("600 of 1000: verdict %v; it said:\n%s", got, before.Log())
	}
	must(t, before.Stop())

	f := newFleet(t)
	n := add(t, f, "a", "--data-dir", before.DataDir())
	must(t, n.Start(within(t, patience)))
	a, err := n.Client.Agents.Get(t.Context(), "x")
	must(t, err)
	if a.Consumed != 600 || a.Level < 400 || a.Level > 410 {
		t.Errorf("consumed %d, level %d, want 600 and 400: no refill for time that went backwards", a.Consumed, a.Level)
	}
	if got := f.Ask(t.Context(), n, "x", 300).Verdict; got != witness.Admitted {
		t.Errorf("300 of 400: verdict %v", got)
	}
	if got := f.Ask(t.Context(), n, "x", 300).Verdict; got != witness.Denied {
		t.Errorf("300 of 100: verdict %v", got)
	}
	// What is new reaches others, too.
	peer := add(t, f, "b")
	must(t, peer.Start(within(t, patience)))
	f.Ask(t.Context(), n, "x", 10)
	total, err := fleet.Totals(within(t, patience), "x", f.Nodes()...)
	must(t, err)
	if total != 910 {
		t.Errorf("the total is %d, want 910", total)
	}
}
