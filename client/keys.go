package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// Shapes of package wire under the names callers use.
type (
	APIKey     = wire.APIKey
	APIKeyList = wire.APIKeyList
	NewAPIKey  = wire.NewAPIKey
	Quota      = wire.Quota
	Tenant     = wire.Tenant
	TenantList = wire.TenantList
)

// States of an APIKey.
const (
	KeyLive    = wire.KeyLive
	KeyExpired = wire.KeyExpired
	KeyRevoked = wire.KeyRevoked
)

// Keys hands out API keys. A change is known to all nodes in touch within a second.
type Keys struct{ t *transport }

// Create makes a key. The answer is the only place where it is ever shown.
func (k *Keys) Create(ctx context.Context, key NewAPIKey) (APIKey, error) {
	var out APIKey
	return out, k.t.json(ctx, call{method: http.MethodPost, path: "/v1/keys"}, key, &out)
}

// Rotate makes a key like the given one, which ends after grace.
func (k *Keys) Rotate(ctx context.Context, id string, grace time.Duration) (APIKey, error) {
	var out APIKey
	body := wire.RotateAPIKey{GraceSeconds: int64(grace / time.Second)}
	return out, k.t.json(ctx, call{method: http.MethodPost, path: "/v1/keys/" + segment(id) + "/rotate"}, body, &out)
}

// Revoke ends a key for good.
func (k *Keys) Revoke(ctx context.Context, id string) error {
	return k.t.json(ctx, call{method: http.MethodDelete, path: "/v1/keys/" + segment(id)}, nil, nil)
}

// List returns one page of keys, ordered by id; a zero limit is the node's own.
func (k *Keys) List(ctx context.Context, after string, limit int) (APIKeyList, error) {
	q := url.Values{}
	if after != "" {
		q.Set("after", after)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var out APIKeyList
	return out, k.t.json(ctx, call{method: http.MethodGet, path: "/v1/keys", query: q}, nil, &out)
}

// All walks over every key, a page at a time. It ends after the first error.
func (k *Keys) All(ctx context.Context) iter.Seq2[APIKey, error] {
	return pages(func(after string) ([]APIKey, string, error) {
		l, err := k.List(ctx, after, 1000)
		return l.Keys, l.Next, err
	})
}

// Tenants bounds what tenants may take.
type Tenants struct{ t *transport }

// Get returns a tenant, or ErrNotFound.
func (t *Tenants) Get(ctx context.Context, name string) (Tenant, error) {
	var out Tenant
	return out, t.t.json(ctx, call{method: http.MethodGet, path: tenantPath(name)}, nil, &out)
}

// Put creates a tenant or replaces its quotas.
func (t *Tenants) Put(ctx context.Context, name string, q Quota) (Tenant, error) {
	var out Tenant
	return out, t.t.json(ctx, call{method: http.MethodPut, path: tenantPath(name)}, wire.NewTenant{Quota: q}, &out)
}

// Delete drops a tenant's quotas; its keys must have been revoked.
func (t *Tenants) Delete(ctx context.Context, name string) error {
	return t.t.json(ctx, call{method: http.MethodDelete, path: tenantPath(name)}, nil, nil)
}

// List returns one page of tenants.
func (t *Tenants) List(ctx context.Context, o ListOptions) (TenantList, error) {
	var out TenantList
	return out, t.t.json(ctx, call{method: http.MethodGet, path: "/v1/tenants", query: o.query()}, nil, &out)
}

func tenantPath(name string) string { return "/v1/tenants/" + segment(name) }
