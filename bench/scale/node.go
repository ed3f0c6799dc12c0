package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

// node is the process that is measured.
type node struct {
	proc *proc.Process
	url  string
}

func (n *node) stop() error { return n.proc.Stop() }
func (n *node) kill() error { return n.proc.Kill() }

// memory is what the kernel says of the process, in bytes.
type memory struct{ rss, peak int64 }

func (n *node) memory() (m memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.proc.PID()))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			m.rss = kb << 10
		case "VmHWM":
			m.peak = kb << 10
		}
	}
	if m.rss == 0 {
		return m, errors.New("the kernel tells no memory of the process")
	}
	return m, nil
}

// settledMemory waits until what the load left behind was written and the
// process does not change any more.
func (n *node) settledMemory(ctx context.Context) (memory, error) {
	const window, limit = time.Second, 30
	last, err := n.memory()
	for i := 0; err == nil && i < limit; i++ {
		select {
		case <-time.After(window):
		case <-ctx.Done():
			return last, ctx.Err()
		}
		var m memory
		if m, err = n.memory(); m.rss == last.rss {
			return m, err
		}
		last = m
	}
	return last, err
}

type check struct {
	Agent  string `json:"agent"`
	Tokens int    `json:"tokens"`
}

func agentName(i int) string { return fmt.Sprintf("agent:%08d", i) }

// meetAll lets each agent consume one token, in large batches.
func (n *node) meetAll(ctx context.Context, agents int) error {
	const batch = 5000
	for at := 0; at < agents; at += batch {
		var checks []check
		for i := at; i < min(at+batch, agents); i++ {
			checks = append(checks, check{agentName(i), 1})
		}
		var answer struct {
			Allowed bool `json:"allowed"`
		}
		if err := n.post(ctx, "/v1/consume", map[string]any{"checks": checks}, &answer); err != nil {
			return err
		}
		if !answer.Allowed {
			return fmt.Errorf("agents %d to %d were not all allowed", at, at+len(checks))
		}
	}
	return nil
}

// touchCold compares the first call of agents that are only on disk with the
// second of the same ones. It also sees that nothing was forgotten.
func (n *node) touchCold(ctx context.Context, agents int) error {
	const calls = 2000
	var took [2][]time.Duration
	for round := range took {
		for i := range calls {
			name := agentName(int(uint64(i) * 7919 * 104729 % uint64(agents)))
			var answer struct {
				Remaining int `json:"remaining"`
			}
			began := time.Now()
			if err := n.post(ctx, "/v1/agents/"+name+"/consume", map[string]any{"tokens": 1}, &answer); err != nil {
				return err
			}
			took[round] = append(took[round], time.Since(began))
		}
		slices.Sort(took[round])
	}
	cold, warm := took[0][calls/2], took[1][calls/2]
	fmt.Printf("one call over HTTP: %s for an agent on disk, %s for one in memory (medians of %d)\n", cold, warm, calls)
	return n.expectTotals(ctx, agents)
}

func (n *node) expectTotals(ctx context.Context, agents int) error {
	var answer struct {
		Consumed int `json:"consumed"`
	}
	for _, i := range []int{1, agents / 3, agents - 1} {
		if err := n.get(ctx, "/v1/agents/"+agentName(i), &answer); err != nil {
			return err
		}
		if answer.Consumed < 1 {
			return fmt.Errorf("%s consumed a token, the node knows of %d", agentName(i), answer.Consumed)
		}
	}
	return nil
}

func (n *node) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+path, nil)
	if err != nil {
		return err
	}
	return do(req, into)
}

func (n *node) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return do(req, into)
}

func do(req *http.Request, into any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %.300s", req.Method, req.URL.Path, resp.Status, text)
	}
	return json.Unmarshal(text, into)
}
