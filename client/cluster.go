package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/openclaw/clawd/api/wire"
)

// Shapes of package wire under the names callers use.
type (
	ClusterInfo = wire.Cluster
	Member      = wire.Member
	Forgotten   = wire.ForgetResponse
	HealthInfo  = wire.Health
	HealthCheck = wire.HealthCheck
	BackupInfo  = wire.BackupResponse
)

// Cluster is the membership as the asked node sees it, and the operator's
// actions on it.
type Cluster struct{ t *transport }

// Get returns the members, the asked node included.
func (c *Cluster) Get(ctx context.Context) (ClusterInfo, error) {
	var out ClusterInfo
	return out, c.t.json(ctx, call{method: http.MethodGet, path: "/v1/cluster"}, nil, &out)
}

// Join makes the node contact others by their gossip addresses and returns how
// many answered.
func (c *Cluster) Join(ctx context.Context, addresses ...string) (int, error) {
	var out wire.JoinResponse
	err := c.t.json(ctx, call{method: http.MethodPost, path: "/v1/cluster/join"}, wire.JoinRequest{Addresses: addresses}, &out)
	return out.Joined, err
}

// Leave makes the asked node drain, leave the cluster and stop.
func (c *Cluster) Leave(ctx context.Context) error {
	return c.t.json(ctx, call{method: http.MethodPost, path: "/v1/cluster/leave"}, nil, nil)
}

// Forget declares a member (by name or node id) lost for good. It holds
// nothing back any more, and is refused if it ever returns.
func (c *Cluster) Forget(ctx context.Context, member string) (Forgotten, error) {
	var out Forgotten
	return out, c.t.json(ctx, call{method: http.MethodPost, path: "/v1/cluster/forget"}, wire.ForgetRequest{Member: member}, &out)
}

// Backup makes the node write a consistent copy of its store into directory,
// an absolute path on the node that does not exist yet or is empty. It takes
// as long as it takes: only ctx bounds it.
func (c *Client) Backup(ctx context.Context, directory string) (BackupInfo, error) {
	var out BackupInfo
	return out, c.t.json(ctx, call{method: http.MethodPost, path: "/v1/backup", slow: true}, wire.BackupRequest{Directory: directory}, &out)
}

// Health answers whether a node is alive and whether it should get traffic.
type Health struct{ t *transport }

// Live returns nil when the process answers at all.
func (h *Health) Live(ctx context.Context) error {
	return h.t.json(ctx, call{method: http.MethodGet, path: "/livez"}, nil, nil)
}

// Ready returns nil when the node should get traffic. Anything else is
// ErrUnavailable, and Check tells why.
func (h *Health) Ready(ctx context.Context) error {
	return h.t.json(ctx, call{method: http.MethodGet, path: "/readyz"}, nil, nil)
}

// Check returns readiness with each thing looked at. A node that is not ready
// is an answer here, not an error.
func (h *Health) Check(ctx context.Context) (HealthInfo, error) {
	c := call{
		method: http.MethodGet,
		path:   "/readyz",
		query:  url.Values{"verbose": {"1"}},
		accept: []int{http.StatusServiceUnavailable},
	}
	a, err := h.t.do(ctx, c)
	if err != nil {
		return HealthInfo{}, err
	}
	var out HealthInfo
	if err := json.Unmarshal(a.body, &out); err != nil || out.Status == "" {
		if a.status == http.StatusServiceUnavailable {
			return HealthInfo{}, &Error{Method: c.method, Path: c.path, Status: a.status, RetryAfter: retryAfter(a.header)}
		}
		return HealthInfo{}, a.decode(c, &out)
	}
	return out, nil
}
