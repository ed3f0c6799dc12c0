package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/openclaw/clawd/client"
)

// Digest is the JSON form of GET /v1/digest without the node it is of.
type Digest struct {
	Vector  map[string]uint64 `json:"vector"`
	Buckets []struct {
		Bucket int    `json:"bucket"`
		Sum    string `json:"sum"`
		Count  uint64 `json:"count"`
	} `json:"buckets"`
}

// Digest asks the peer listener what the node has.
func (n *Node) Digest(ctx context.Context) (Digest, error) {
	var d Digest
	body, err := n.get(ctx, "http://"+n.Peer+"/v1/digest", "application/json")
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(body, &d)
}

func (n *Node) get(ctx context.Context, url, accept string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := n.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s answered %s: %s", n.Name, url, resp.Status, body)
	}
	return body, err
}

// Converged waits until all nodes have equal digests, and returns how long that
// took.
func Converged(ctx context.Context, nodes ...*Node) (time.Duration, error) {
	began := time.Now()
	err := Until(ctx, func(ctx context.Context) error { return Equal(ctx, nodes...) })
	return time.Since(began), err
}

// Equal is nil when all nodes have the same rows, registers and vectors now.
func Equal(ctx context.Context, nodes ...*Node) error {
	first, err := nodes[0].Digest(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes[1:] {
		d, err := n.Digest(ctx)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(first, d) {
			return fmt.Errorf("%s and %s differ: vectors %v and %v, %d and %d filled buckets",
				nodes[0].Name, n.Name, first.Vector, d.Vector, len(first.Buckets), len(d.Buckets))
		}
	}
	return nil
}

// Assembled waits until each node sees all of them ready.
func (f *Fleet) Assembled(ctx context.Context, nodes ...*Node) error {
	return Until(ctx, func(ctx context.Context) error {
		var errs []error
		for _, n := range nodes {
			for _, o := range nodes {
				if state, err := n.StateOf(ctx, o.Name); err != nil || state != client.StateReady {
					errs = append(errs, fmt.Errorf("%s sees %s as %q: %w", n.Name, o.Name, state, err))
				}
			}
		}
		return errors.Join(errs...)
	})
}

// StateOf is how the node sees a member; empty when it does not know it.
func (n *Node) StateOf(ctx context.Context, member string) (string, error) {
	c, err := n.Client.Cluster.Get(ctx)
	if err != nil {
		return "", fmt.Errorf("%s: %w", n.Name, err)
	}
	for _, m := range c.Members {
		if m.Name == member {
			return m.State, nil
		}
	}
	return "", nil
}

// Totals waits until all nodes tell the same total of an agent, and returns it.
func Totals(ctx context.Context, agent string, nodes ...*Node) (total int64, err error) {
	err = Until(ctx, func(ctx context.Context) error {
		for i, n := range nodes {
			counted, err := n.Consumed(ctx, agent)
			if err != nil {
				return err
			}
			if i > 0 && counted != total {
				return fmt.Errorf("%s: %s counts %d, %s counts %d", agent, nodes[0].Name, total, n.Name, counted)
			}
			total = counted
		}
		return nil
	})
	return total, err
}
