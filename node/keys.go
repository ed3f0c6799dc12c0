package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
)

// Bounds of the number of keys, live or not: each is in every node's memory.
const (
	maxKeys       = 20_000
	maxTenantKeys = 2_000
)

// deadKeysStay is how long a key that has ended is still listed.
const deadKeysStay = 30 * 24 * time.Hour

func keyRegister(name string) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpaceAPIKey, Name: name}
}

// learnSetting passes what the replica learns on to the guard.
func (n *Node) learnSetting(s replica.Setting) {
	learn := n.guard.LearnTenant
	if s.Key.Space == crdt.SpaceAPIKey {
		learn = n.guard.Learn
	}
	if err := learn(s.Key.Name, s.Value, s.Deleted); err != nil {
		n.log.Warn("a record of a key or a tenant was ignored", "name", s.Key.Name, "error", err)
	}
}

// CreateAPIKey implements api.KeyIssuer.
func (p public) CreateAPIKey(ctx context.Context, by *access.Caller, k wire.NewAPIKey) (wire.APIKey, error) {
	n := p.n
	if err := n.started(); err != nil {
		return wire.APIKey{}, err
	}
	r := access.KeyRecord{
		Role: access.Role(k.Role), Tenant: k.Tenant, Name: k.Name, By: by.Key, Created: n.now().Wall,
	}
	if r.Tenant == "" {
		r.Tenant = by.Tenant.Name()
	}
	if k.ExpiresInSeconds > 0 {
		r.Expires = r.Created + k.ExpiresInSeconds*1000
	}
	if err := n.mayIssue(by, &r); err != nil {
		return wire.APIKey{}, err
	}
	return n.issue(ctx, r)
}

func (n *Node) mayIssue(by *access.Caller, r *access.KeyRecord) error {
	switch {
	case n.guard.Keyless() && r.Role != access.Admin:
		return api.Invalid("role", "must be admin: this is the first key, and without an admin nobody could make another")
	case !by.Role.MayIssue(r.Role):
		return fmt.Errorf("%w: role %s may not make a key of role %s", api.ErrForbidden, by.Role, r.Role)
	case !by.Role.ClusterWide() && r.Tenant != by.Tenant.Name():
		return fmt.Errorf("%w: role %s makes keys of its own tenant only", api.ErrForbidden, by.Role)
	}
	all := n.guard.Keys()
	own := 0
	for i := range all {
		if all[i].Tenant == r.Tenant {
			own++
		}
	}
	if len(all) >= maxKeys || own >= maxTenantKeys {
		return fmt.Errorf("%w: there are %d keys, %d of the tenant; at most %d and %d are kept, ended ones for %d days",
			api.ErrConflict, len(all), own, maxKeys, maxTenantKeys, int(deadKeysStay.Hours()/24))
	}
	return nil
}

// issue draws a secret for a record and stores the record.
func (n *Node) issue(ctx context.Context, r access.KeyRecord) (wire.APIKey, error) {
	secret, err := access.NewSecret(rand.Reader)
	if err != nil {
		return wire.APIKey{}, err
	}
	r.Hash = access.HashText(secret.Hash())
	_, wait, err := n.replica.PutSetting(n.now(), keyRegister(secret.ID()), r.Encode(), nil)
	if err := n.durably(ctx, wait, err); err != nil {
		return wire.APIKey{}, err
	}
	answer := n.showKey(&access.Key{ID: secret.ID(), KeyRecord: r, Ends: r.Expires})
	answer.Key = secret.Reveal()
	return answer, nil
}

// reachableKey finds a key that the caller may deal with.
func (n *Node) reachableKey(by *access.Caller, id string) (access.Key, error) {
	k, ok := n.guard.Key(id)
	if !ok || !by.Role.ClusterWide() && k.Tenant != by.Tenant.Name() {
		return access.Key{}, fmt.Errorf("%w: no key with this id", api.ErrNotFound)
	}
	if !by.Role.MayIssue(k.Role) {
		return access.Key{}, fmt.Errorf("%w: role %s may not change a key of role %s", api.ErrForbidden, by.Role, k.Role)
	}
	return k, nil
}

// RotateAPIKey implements api.KeyIssuer.
func (p public) RotateAPIKey(ctx context.Context, by *access.Caller, id string, grace time.Duration) (wire.APIKey, error) {
	n := p.n
	if err := n.started(); err != nil {
		return wire.APIKey{}, err
	}
	old, err := n.reachableKey(by, id)
	if err != nil {
		return wire.APIKey{}, err
	}
	now := n.now().Wall
	if !old.Live(now) {
		return wire.APIKey{}, fmt.Errorf("%w: the key has ended; make a new one", api.ErrConflict)
	}
	r := old.KeyRecord
	r.By, r.Created, r.Rotated = by.Key, now, id
	fresh, err := n.issue(ctx, r)
	if err != nil {
		return wire.APIKey{}, err
	}
	ending := access.Ending{At: now + grace.Milliseconds(), By: by.Key}
	if old.Ends != 0 {
		ending.At = min(ending.At, old.Ends)
	}
	_, wait, err := n.replica.PutSetting(n.now(), keyRegister(id+access.ReplacedSuffix), ending.Encode(), nil)
	return fresh, n.durably(ctx, wait, err)
}

// RevokeAPIKey implements api.KeyIssuer.
func (p public) RevokeAPIKey(ctx context.Context, by *access.Caller, id string) error {
	n := p.n
	if err := n.started(); err != nil {
		return err
	}
	k, err := n.reachableKey(by, id)
	if err != nil {
		return err
	}
	now := n.now().Wall
	if k.Revoked {
		return nil
	}
	if k.Role == access.Admin && k.Live(now) && !n.otherAdmin(id, now) {
		return fmt.Errorf("%w: it is the last admin key; make another first, or rotate it", api.ErrConflict)
	}
	ending := access.Ending{At: now, By: by.Key}
	_, wait, err := n.replica.PutSetting(n.now(), keyRegister(id+access.RevokedSuffix), ending.Encode(), nil)
	return n.durably(ctx, wait, err)
}

// otherAdmin tells whether another admin key lives.
func (n *Node) otherAdmin(id string, now int64) bool {
	return slices.ContainsFunc(n.guard.Keys(), func(k access.Key) bool {
		return k.ID != id && k.Role == access.Admin && k.Live(now)
	})
}

// APIKeys implements api.KeyLister.
func (p public) APIKeys(_ context.Context, by *access.Caller, page api.Page) ([]wire.APIKey, bool, error) {
	if err := p.n.started(); err != nil {
		return nil, false, err
	}
	keys := slices.DeleteFunc(p.n.guard.Keys(), func(k access.Key) bool {
		return k.ID <= page.After || !by.Role.ClusterWide() && k.Tenant != by.Tenant.Name()
	})
	slices.SortFunc(keys, func(a, b access.Key) int { return cmp.Compare(a.ID, b.ID) })
	more := len(keys) > page.Limit
	keys = keys[:min(len(keys), page.Limit)]
	list := make([]wire.APIKey, len(keys))
	for i := range keys {
		list[i] = p.n.showKey(&keys[i])
	}
	return list, more, nil
}

func (n *Node) showKey(k *access.Key) wire.APIKey {
	out := wire.APIKey{
		ID: k.ID, Prefix: access.PrefixOf(k.ID), Role: string(k.Role), Tenant: k.Tenant, Name: k.Name,
		State: wire.KeyLive, CreatedAt: timeText(k.Created), CreatedBy: k.By, Replaces: k.Rotated,
	}
	if k.Ends != 0 {
		ends := timeText(k.Ends)
		out.ExpiresAt = &ends
	}
	switch {
	case k.Revoked:
		out.State = wire.KeyRevoked
	case !k.Live(n.now().Wall):
		out.State = wire.KeyExpired
	}
	return out
}

func timeText(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
