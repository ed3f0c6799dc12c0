package node

import (
	"errors"
	"math"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

func put(key, value string) api.Put {
	return api.Put{Tenant: api.DefaultTenant, Key: key, Value: []byte(value), ContentType: "text/plain"}
}

func TestConditionsGuardWrites(t *testing.T) {
	t.Parallel()
	p, ctx := public{open(t, peered(t, "a"))}, t.Context()
	first := put("k", "1")
	first.Cond = api.Condition{NoneMatch: []string{"*"}}
	w, err := p.PutKey(ctx, first)
	if err != nil || !w.Created {
		t.Fatalf("%+v, %v", w, err)
	}
	if _, err := p.PutKey(ctx, first); !errors.Is(err, api.ErrPrecondition) {
		t.Errorf("a second creation: %v", err)
	}
	second := put("k", "2")
	second.Cond = api.Condition{Match: []string{w.Version}}
	again, err := p.PutKey(ctx, second)
	if err != nil || again.Created || again.Version == w.Version {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := p.PutKey(ctx, second); !errors.Is(err, api.ErrPrecondition) {
		t.Errorf("a write over a newer version: %v", err)
	}
	if err := p.DeleteKey(ctx, api.DefaultTenant, "k", api.Condition{Match: []string{w.Version}}); !errors.Is(err, api.ErrPrecondition) {
		t.Errorf("a deletion of a newer version: %v", err)
	}
	if r, err := p.GetKey(ctx, api.DefaultTenant, "k"); err != nil || string(r.Value) != "2" || r.Version != again.Version {
		t.Errorf("%+v, %v", r, err)
	}
	if err := p.DeleteKey(ctx, api.DefaultTenant, "k", api.Condition{}); err != nil {
		t.Error(err)
	}
	if _, err := p.GetKey(ctx, api.DefaultTenant, "k"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a deleted key: %v", err)
	}

	policy := ratelimit.Policy{Name: "p", Match: "p*", Capacity: 1, RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(1)}
	pw, err := p.PutPolicy(ctx, api.DefaultTenant, policy, api.Condition{NoneMatch: []string{"*"}})
	if err != nil || !pw.Created {
		t.Fatalf("%+v, %v", pw, err)
	}
	if _, err := p.PutPolicy(ctx, api.DefaultTenant, policy, api.Condition{Match: []string{"other"}}); !errors.Is(err, api.ErrPrecondition) {
		t.Errorf("%v", err)
	}
	if list, more, err := p.ListPolicies(ctx, api.Page{Tenant: api.DefaultTenant, Limit: 1}); err != nil || more || len(list) != 1 {
		t.Errorf("%+v, %v, %v", list, more, err)
	}
	if err := p.DeletePolicy(ctx, api.DefaultTenant, "p", api.Condition{Match: []string{pw.Version}}); err != nil {
		t.Error(err)
	}
	if err := p.DeletePolicy(ctx, api.DefaultTenant, "p", api.Condition{}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a second deletion: %v", err)
	}
}

func TestABatchOfOperationsAnswersEachOnItsOwn(t *testing.T) {
	t.Parallel()
	p, ctx := public{open(t, peered(t, "a"))}, t.Context()
	ops := []api.Operation{
		{Op: wire.OpPut, Put: put("a", "1")},
		{Op: wire.OpIncrement, Put: api.Put{Key: "n"}, By: math.MaxInt64},
		{Op: wire.OpIncrement, Put: api.Put{Key: "n"}, By: 1},
		{Op: wire.OpIncrement, Put: api.Put{Key: "a"}, By: 1},
		{Op: wire.OpGet, Put: api.Put{Key: "a"}},
		{Op: wire.OpDelete, Put: api.Put{Key: "a"}},
		{Op: wire.OpGet, Put: api.Put{Key: "a"}},
		{Op: wire.OpPut, Put: put("n", "over a counter")},
	}
	out := make([]api.Outcome, len(ops))
	if err := p.BatchKeys(ctx, api.DefaultTenant, ops, out); err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, nil, api.ErrInvalid, api.ErrConflict, nil, nil, api.ErrNotFound, api.ErrConflict} {
		if !errors.Is(out[i].Err, want) {
			t.Errorf("operation %d: %v, want %v", i, out[i].Err, want)
		}
	}
	if out[1].Record.Number != math.MaxInt64 || string(out[4].Record.Value) != "1" {
		t.Errorf("%+v", out)
	}
}

func TestResetAndDeleteReachTheOtherNodes(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	b := open(t, peered(t, "b"))
	waitReady(t, a, b)
	consume(t, a, "x", 600)
	consume(t, a, "y", 600)
	joined, err := public{b}.Join(t.Context(), []string{a.GossipAddr()}) // at run time
	if err != nil || joined != 1 {
		t.Fatalf("joined %d, %v", joined, err)
	}
	meet(t, a, b)
	agree(t, a, b)
	if consume(t, b, "x", 600) {
		t.Fatal("b does not know what a admitted")
	}
	if err := (public{b}).ResetAgent(t.Context(), api.DefaultTenant, "x"); err != nil {
		t.Fatal(err)
	}
	if err := (public{b}).DeleteAgent(t.Context(), api.DefaultTenant, "y"); err != nil {
		t.Fatal(err)
	}
	agree(t, a, b)
	for _, n := range []*Node{a, b} {
		x, err := public{n}.Explain(t.Context(), check("x", 0))
		if err != nil || x.Level != 1000 || x.Consumed != 600 {
			t.Errorf("%s: after a reset %+v, %v", n.Name(), x, err)
		}
		y, err := public{n}.Explain(t.Context(), check("y", 0))
		if err != nil || y.Level != 1000 || y.Consumed != 0 {
			t.Errorf("%s: after a deletion %+v, %v", n.Name(), y, err)
		}
	}
	if _, err := (public{b}).Join(t.Context(), []string{"127.0.0.1:1"}); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("joining nobody: %v", err)
	}
}

func TestABackupStartsANodeWithTheSameTotals(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	a := open(t, o)
	waitReady(t, a)
	consume(t, a, "x", 7)
	settle(t, a)
	backup := filepath.Join(t.TempDir(), "backup")
	status, made := call[wire.BackupResponse](t, http.MethodPost, a.HTTPAddr(), "/v1/backup", wire.BackupRequest{Directory: backup})
	if status/100 != 2 || made.Files == 0 || made.Bytes == 0 {
		t.Fatalf("backup answered %d %+v", status, made)
	}
	if status, _ := call[wire.Problem](t, http.MethodPost, a.HTTPAddr(), "/v1/backup", wire.BackupRequest{Directory: backup}); status != http.StatusConflict {
		t.Errorf("a second backup to one place answered %d", status)
	}
	if status, _ := call[wire.Problem](t, http.MethodPost, a.HTTPAddr(), "/v1/backup", wire.BackupRequest{Directory: "relative"}); status != http.StatusBadRequest {
		t.Errorf("a backup to a relative path answered %d", status)
	}
	consume(t, a, "x", 1)
	closeNode(t, a)
	if err := Restore(backup, o.DataDir); !errors.Is(err, storage.ErrNotEmpty) {
		t.Errorf("a restore over data: %v", err)
	}
	o.DataDir = t.TempDir()
	if err := Restore(backup, o.DataDir); err != nil {
		t.Fatal(err)
	}
	a = open(t, o)
	waitReady(t, a)
	if got := consumed(t, a, "x"); got != 7 {
		t.Errorf("the restored node says %d, want 7", got)
	}
}

// TestWhatASyncPolicyTookIsGivenBackWhenTheDiskRefuses keeps the promise that
// nothing was taken after an error.
func TestWhatASyncPolicyTookIsGivenBackWhenTheDiskRefuses(t *testing.T) {
	t.Parallel()
	disk := storage.NewMemory()
	o := peered(t, "a")
	o.tuning.openStore = onto(disk)
	n := open(t, o)
	waitReady(t, n)
	putPolicy(t, n, ratelimit.Sync)
	p := public{n}
	disk.Inject(func(op storage.Op) error {
		if op.Kind == storage.OpApply {
			return storage.ErrFull
		}
		return nil
	})
	if _, err := p.Consume(t.Context(), check("one", 5)); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	for _, atomic := range []bool{false, true} {
		checks := []api.Check{check("two", 5), check("three", 5)}
		if _, err := p.ConsumeBatch(t.Context(), checks, atomic, make([]api.Decision, 2)); !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("atomic %v: %v", atomic, err)
		}
	}
	disk.Inject(nil)
	settle(t, n)
	for _, agent := range []string{"one", "two", "three"} {
		a, err := p.Explain(t.Context(), check(agent, 0))
		if err != nil || a.Level != 1_000_000 || a.Consumed != a.Refunded {
			t.Errorf("%s: level %d, consumed %d, refunded %d, %v", agent, a.Level, a.Consumed, a.Refunded, err)
		}
	}
}

func TestExpiredKeysAreGone(t *testing.T) {
	t.Parallel()
	p, ctx := public{open(t, peered(t, "a"))}, t.Context()
	short := put("k", "v")
	short.TTL = 50 * time.Millisecond
	if _, err := p.PutKey(ctx, short); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the key expires", func() bool {
		_, err := p.GetKey(ctx, api.DefaultTenant, "k")
		return errors.Is(err, api.ErrNotFound)
	})
}
