package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/proc"
	"github.com/openclaw/clawd/ratelimit"
)

const (
	// fullAgents have buckets from which no call of the benchmark is denied: an
	// admission writes state, a denial does not, and mixing them would flatter
	// the result.
	fullAgents   = "bench"
	fullCapacity = 9_000_000_000
	// emptyAgents have buckets of one token, which comes back once a year.
	emptyAgents = "empty"
)

// node is one process of clawd. It can be killed and started again.
type node struct {
	b      *bench
	argv   []string
	url    string
	gossip string
	dir    string
	proc   *proc.Process
	*client.Client
}

// newNode is a node with an empty data directory and default settings:
// durability, metrics and logging as a newcomer has them. join is the gossip
// address of another, or empty.
func (b *bench) newNode(name, join string) (*node, error) {
	var addrs [3]string
	for i := range addrs {
		addr, err := proc.FreeAddr()
		if err != nil {
			return nil, err
		}
		addrs[i] = addr
	}
	n := &node{b: b, url: "http://" + addrs[0], gossip: addrs[2], dir: b.dir("data")}
	n.argv = []string{
		b.clawd, "serve", "--name", name,
		"--http-addr", addrs[0], "--peer-addr", addrs[1], "--gossip-addr", addrs[2], "--data-dir", n.dir,
	}
	if join != "" {
		n.argv = append(n.argv, "--join", join)
	}
	var err error
	n.Client, err = client.New(n.url, client.Options{MaxRetries: -1})
	return n, err
}

// startNodes starts a cluster and tells it the policies of the benchmark.
func (b *bench) startNodes(ctx context.Context, count int) ([]*node, error) {
	b.say("clawd is starting, nodes: %d", count)
	var nodes []*node
	join := ""
	for i := range count {
		n, err := b.newNode(fmt.Sprintf("n%d", i+1), join)
		if err != nil {
			return nil, err
		}
		if err := n.start(ctx); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
		join = nodes[0].gossip
	}
	return nodes, nodes[0].prepare(ctx)
}

// start starts the process and waits until it is ready.
func (n *node) start(ctx context.Context) (err error) {
	if n.proc, err = n.b.start("clawd", n.argv...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	return n.proc.WaitReady(ctx, n.url)
}

// prepare makes the policies, and makes sure that they limit.
func (n *node) prepare(ctx context.Context) error {
	for _, p := range []client.Policy{
		{Name: "full", Match: fullAgents + "-*", Capacity: fullCapacity, RefillRate: ratelimit.Whole(1000), IntervalSeconds: ratelimit.Whole(1)},
		{Name: "empty", Match: emptyAgents + "-*", Capacity: 1, RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(365 * 24 * 3600)},
	} {
		if _, err := n.Policies.Put(ctx, p); err != nil {
			return err
		}
	}
	for i, allowed := range []bool{true, false} {
		d, err := n.Agents.Consume(ctx, "idle", 1000)
		if err != nil {
			return err
		}
		if d.Allowed != allowed {
			return fmt.Errorf("call %d about a bucket of 1000 answered %+v", i+1, d)
		}
	}
	return nil
}

// target is n as something to load, with the other nodes of its cluster.
func (b *bench) target(name, label string, nodes ...*node) *target {
	t := &target{name: name, label: label, url: nodes[0].url, load: b.spread()}
	for _, n := range nodes {
		t.procs = append(t.procs, n.proc)
	}
	t.answered = func(ctx context.Context) (tally, error) { return nodes[0].consumed(ctx, fullAgents) }
	return t
}

// meet takes one token of each of so many agents, by batches.
func (n *node) meet(ctx context.Context, prefix string, count int) error {
	const size, workers = 1000, 4
	var group sync.WaitGroup
	failed := make(chan error, workers)
	for w := range workers {
		group.Go(func() {
			for from := w * size; from < count; from += workers * size {
				if err := n.meetSome(ctx, prefix, from, min(from+size, count)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(failed)
	return <-failed // nil when none failed
}

func (n *node) meetSome(ctx context.Context, prefix string, from, to int) error {
	var body bytes.Buffer
	body.WriteString(`{"checks":[`)
	for i := from; i < to; i++ {
		if i > from {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"agent":"%s-%05d","tokens":1}`, prefix, i)
	}
	body.WriteString(`]}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+"/v1/consume", &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Allowed bool `json:"allowed"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || !answer.Allowed {
		return fmt.Errorf("a batch of new agents: %s, allowed %v, %w", resp.Status, answer.Allowed, err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// consumed is what the agents with a prefix have consumed, each added up.
func (n *node) consumed(ctx context.Context, prefix string) (tally, error) {
	t := tally{byAgent: map[string]uint64{}}
	for agent, err := range n.Agents.All(ctx, prefix+"-") {
		if err != nil {
			return tally{}, err
		}
		t.total += agent.Consumed
		t.byAgent[agent.Agent] = agent.Consumed
	}
	return t, nil
}

// metric is the value of a series of n, given as it stands on /metrics.
func (n *node) metric(ctx context.Context, series string) (float64, error) {
	page, err := get(ctx, n.url+"/metrics")
	if err != nil {
		return 0, n.died(err)
	}
	for line := range strings.Lines(string(page)) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("%s has no series %s", n.url, series)
}

// died adds to err what n said, when n is gone.
func (n *node) died(err error) error {
	select {
	case <-n.proc.Exited():
		return fmt.Errorf("%w; the node has ended and said:\n%s", err, n.proc.Log())
	default:
		return err
	}
}

// admitted is what n has admitted, for buckets too many to be listed each time.
func (n *node) admitted(ctx context.Context) (tally, error) {
	v, err := n.metric(ctx, `clawd_limiter_tokens_total{result="allowed"}`)
	return tally{total: uint64(v)}, err
}

// converge waits until every node lists the others as alive.
func converge(ctx context.Context, nodes []*node) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, n := range nodes {
		for {
			alive, err := n.metric(ctx, "clawd_peers_alive")
			if err == nil && int(alive) == len(nodes)-1 {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s sees %v of %d peers: %w", n.url, alive, len(nodes)-1, ctx.Err())
			case <-tick.C:
			}
		}
	}
	return nil
}
