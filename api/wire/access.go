package wire

// States of an API key.
const (
	KeyLive    = "live"
	KeyExpired = "expired"
	KeyRevoked = "revoked"
)

// APIKey is what its owners see of a key. Key is there only in the answer that made it: nobody can show it again.
type APIKey struct {
	ID        string  `json:"id"`
	Key       string  `json:"key,omitempty"`
	Prefix    string  `json:"prefix"` // how the key begins
	Role      string  `json:"role"`
	Tenant    string  `json:"tenant"`
	Name      string  `json:"name,omitempty"`
	State     string  `json:"state"`
	CreatedAt string  `json:"created_at"`
	CreatedBy string  `json:"created_by,omitempty"` // id of a key
	ExpiresAt *string `json:"expires_at"`           // null = never
	Replaces  string  `json:"replaces,omitempty"`   // id of the key it was rotated from
}

// NewAPIKey is the body of POST /v1/keys.
type NewAPIKey struct {
	Role             string `json:"role"`
	Tenant           string `json:"tenant,omitempty"` // default: the caller's
	Name             string `json:"name,omitempty"`
	ExpiresInSeconds int64  `json:"expires_in_seconds,omitempty"` // 0 = never
}

// RotateAPIKey is the body of POST /v1/keys/{id}/rotate.
type RotateAPIKey struct {
	GraceSeconds int64 `json:"grace_seconds,omitempty"` // how long the old key lives on
}

// APIKeyList answers GET /v1/keys, ordered by id.
type APIKeyList struct {
	Keys []APIKey `json:"keys"`
	Next string   `json:"next,omitempty"`
}

// Quota bounds what a tenant may take; 0 or absent is no bound.
type Quota struct {
	RequestsPerSecond int64 `json:"requests_per_second,omitempty"`
	Agents            int64 `json:"agents,omitempty"`
	KVBytes           int64 `json:"kv_bytes,omitempty"`
	Watchers          int64 `json:"watchers,omitempty"`
	MergeShare        int64 `json:"merge_share,omitempty"` // changed buckets a second and node
}

// NewTenant is the body of PUT /v1/tenants/{tenant}.
type NewTenant struct {
	Quota Quota `json:"quota"`
}

// Tenant is one tenant with its quotas, and what of them is in use on the node that answers.
type Tenant struct {
	Tenant    string      `json:"tenant"`
	Quota     Quota       `json:"quota"`
	Usage     TenantUsage `json:"usage"`
	CreatedAt string      `json:"created_at,omitempty"`
}

// TenantUsage is this node's view.
type TenantUsage struct {
	Agents   int64  `json:"agents"`
	KVBytes  int64  `json:"kv_bytes"`
	Watchers int64  `json:"watchers"`
	Refused  uint64 `json:"refused"` // requests refused by a quota since this node started
}

// TenantList answers GET /v1/tenants, ordered by name.
type TenantList struct {
	Tenants []Tenant `json:"tenants"`
	Next    string   `json:"next,omitempty"`
}
