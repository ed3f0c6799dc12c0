// Command fuzzseeds regenerates the seeds of fuzz targets that are a cluster's own
// traffic: it starts two nodes, makes calls, and writes what went over the
// connections, small, as testdata/fuzz/TARGET/traffic-NN. Run it from the root of
// the repository when a format changes, and commit what it wrote.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/ratelimit"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	err := run(ctx)
	fleet.RemoveBinary()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzzseeds:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	bin, err := fleet.Binary()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "clawd-fuzzseeds-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // of a temporary directory
	f := fleet.New(bin, dir)
	defer func() { _ = f.Close() }()
	for _, name := range []string{"a", "b"} {
		if _, err := f.Add(name); err != nil {
			return err
		}
	}
	if err := f.StartAll(ctx); err != nil {
		return err
	}
	var r recorder
	if err := r.calls(ctx, f.Nodes()[0].HTTP); err != nil {
		return err
	}
	if _, err := fleet.Converged(ctx, f.Nodes()...); err != nil {
		return err
	}
	s := seeds{}
	s.calls(r.exchanges)
	if err := s.sync(ctx, f.Nodes()[1].Peer); err != nil {
		return err
	}
	return s.write()
}

// exchange is one request and its answer, as they went over the connection.
type exchange struct {
	request []byte
	status  int
	header  http.Header
	body    []byte
}

// recorder notes what a client sends and is answered.
type recorder struct{ exchanges []exchange }

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	request, err := httputil.DumpRequestOut(req, true)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	r.exchanges = append(r.exchanges, exchange{request, res.StatusCode, res.Header, body})
	return res, nil
}

// calls makes one call of each kind. What they are refused is worth keeping, too.
func (r *recorder) calls(ctx context.Context, addr string) error {
	c, err := client.New("http://"+addr, client.Options{HTTPClient: &http.Client{Transport: r}, MaxRetries: -1})
	if err != nil {
		return err
	}
	inline := client.InlinePolicy{Capacity: 5, RefillRate: ratelimit.Whole(5), IntervalSeconds: ratelimit.Whole(60)}
	three := int64(3)
	_, _ = c.Policies.Put(ctx, client.Policy{Name: "team", Match: "team/*", Capacity: 50, RefillRate: ratelimit.Whole(7), IntervalSeconds: ratelimit.Whole(3600), Durability: ratelimit.Reserve})
	for range 3 {
		_, _ = c.Agents.Consume(ctx, "team/é", 20) // the last one is denied
	}
	_, _ = c.Agents.ConsumeInline(ctx, "bot", 2, inline)
	_, _ = c.Agents.ConsumeBatch(ctx, client.BatchRequest{Atomic: true, Checks: []client.BatchCheck{{Agent: "bot"}, {Agent: "x", Tokens: &three, Policy: &inline}}})
	_, _ = c.Agents.Refund(ctx, "team/é", 5)
	_ = c.Agents.Reset(ctx, "bot")
	_, _ = c.Agents.Peek(ctx, "team/é", 1)
	_, _ = c.Agents.List(ctx, client.ListOptions{Prefix: "team", Limit: 1})
	_ = c.Agents.Delete(ctx, "x")
	_, _ = c.KV.Put(ctx, "a key", []byte{0, 1, 0xff}, client.PutOptions{TTL: time.Hour, IfNoneMatch: "*"})
	_, _ = c.KV.Get(ctx, "a key")
	_, _ = c.KV.Increment(ctx, "count", -3)
	_, _ = c.KV.List(ctx, client.KeyListOptions{Values: true})
	_ = c.KV.Delete(ctx, "a key", "")
	_, _ = c.KV.Get(ctx, "a key")
	_, _ = c.Cluster.Get(ctx)
	_, err = c.Health.Check(ctx)
	return err
}
