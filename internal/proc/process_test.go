package proc

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets this binary be the server of the tests below.
func TestMain(m *testing.M) {
	if addr := os.Getenv("PROC_TEST_SERVE"); addr != "" {
		http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
		panic(http.ListenAndServe(addr, nil))
	}
	os.Exit(m.Run())
}

func start(t *testing.T, c Command) *Process {
	t.Helper()
	c.Log = filepath.Join(t.TempDir(), "log")
	p, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestAServerIsStartedAwaitedAndStopped(t *testing.T) {
	addr, err := FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, Command{Argv: []string{os.Args[0]}, Env: []string{"PROC_TEST_SERVE=" + addr}})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.WaitReady(ctx, "http://"+addr); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		t.Errorf("still listening after Stop: %v", conn.Close())
	}
}

func TestAServerThatEndsTellsWhy(t *testing.T) {
	p := start(t, Command{Argv: []string{"sh", "-c", "echo port taken >&2; exit 1"}})
	err := p.WaitReady(t.Context(), "http://127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "port taken") {
		t.Fatalf("got %v, want the words of the server", err)
	}
}

func TestAnExitCodeIsKept(t *testing.T) {
	p := start(t, Command{Argv: []string{"sh", "-c", "exit 7"}})
	<-p.Exited()
	if got := p.ExitCode(); got != 7 {
		t.Errorf("exit code %d, want 7", got)
	}
}

func TestAKilledServerIsGoneWhenKillReturns(t *testing.T) {
	p := start(t, Command{Argv: []string{"sh", "-c", "trap '' TERM; while :; do read -r _; done"}})
	if got := p.ExitCode(); got != -1 {
		t.Errorf("exit code %d of a running server, want -1", got)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Exited():
	default:
		t.Error("Kill returned before the server was gone")
	}
	if err := p.Kill(); err != nil {
		t.Errorf("a second Kill: %v", err)
	}
}

func TestACommandIsStartedWhereItIsTold(t *testing.T) {
	within := false
	p := start(t, Command{Argv: []string{"true"}, Within: func(start func() error) error {
		within = true
		return start()
	}})
	<-p.Exited()
	if !within {
		t.Error("Within was not asked")
	}
}

func TestACommandThatDoesNotExistIsAnError(t *testing.T) {
	if _, err := Start(Command{Argv: []string{"/does/not/exist"}, Log: filepath.Join(t.TempDir(), "log")}); err == nil {
		t.Fatal("started nothing")
	}
}
