package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

func TestMemoryOfAProcess(t *testing.T) {
	if over(false, "x") != nil || over(true, "%d MB", 3) == nil {
		t.Error("over is wrong")
	}
	p, err := proc.Start(proc.Command{Argv: []string{"sleep", "30"}, Log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{proc: p}
	m, err := n.memory()
	if err != nil || m.rss <= 0 || m.peak < m.rss || m.rss > 100<<20 {
		t.Errorf("memory of a sleeping process: %+v, %v", m, err)
	}
	began := time.Now()
	if err := n.kill(); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("kill: %v after %s", err, time.Since(began))
	}
	if _, err := n.memory(); err == nil {
		t.Error("a process that is gone has memory")
	}
}
