package api

import (
	"net/http"
	"time"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api/wire"
)

// maxGrace bounds how long a rotated key may live on, in seconds.
const maxGrace = 30 * 24 * 3600

// apiKeys hands out and takes back API keys.
type apiKeys struct {
	issue KeyIssuer
	list  KeyLister
}

// create answers POST /v1/keys.
func (k apiKeys) create(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	var body wire.NewAPIKey
	if err := readJSON(w, r, maxJSONBody, &body, false); err != nil {
		return err
	}
	if !access.Role(body.Role).Known() {
		return Invalid("role", "must be one of %v", access.Roles)
	}
	if err := checkPrefix("tenant", body.Tenant, MaxNameBytes); err != nil {
		return err
	}
	if err := checkPrefix("name", body.Name, MaxNameBytes); err != nil {
		return err
	}
	if body.ExpiresInSeconds < 0 || body.ExpiresInSeconds > maxTTL {
		return Invalid("expires_in_seconds", "must be a whole number from 1 to %d, or 0 for a key that does not expire", int64(maxTTL))
	}
	key, err := k.issue.CreateAPIKey(r.Context(), callerOf(w), body)
	if err != nil {
		return err
	}
	writeSecret(w, key)
	return nil
}

// rotate answers POST /v1/keys/{id}/rotate.
func (k apiKeys) rotate(w http.ResponseWriter, r *http.Request) error {
	id, err := keyID(r)
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	var body wire.RotateAPIKey
	if err := readJSON(w, r, maxJSONBody, &body, true); err != nil {
		return err
	}
	if body.GraceSeconds < 0 || body.GraceSeconds > maxGrace {
		return Invalid("grace_seconds", "must be a whole number from 0 to %d", maxGrace)
	}
	key, err := k.issue.RotateAPIKey(r.Context(), callerOf(w), id, time.Duration(body.GraceSeconds)*time.Second)
	if err != nil {
		return err
	}
	writeSecret(w, key)
	return nil
}

// writeSecret answers with a new key, which no cache may keep.
func writeSecret(w http.ResponseWriter, key wire.APIKey) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusCreated, key)
}

// revoke answers DELETE /v1/keys/{id}.
func (k apiKeys) revoke(w http.ResponseWriter, r *http.Request) error {
	id, err := keyID(r)
	if err != nil {
		return err
	}
	if err := nothingElse(w, r); err != nil {
		return err
	}
	if err := k.issue.RevokeAPIKey(r.Context(), callerOf(w), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// show answers GET /v1/keys.
func (k apiKeys) show(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "after", "limit")
	if err != nil {
		return err
	}
	p, err := page(tenantOf(w), q, MaxNameBytes)
	if err != nil {
		return err
	}
	list, more, err := k.list.APIKeys(r.Context(), callerOf(w), p)
	if err != nil {
		return err
	}
	answer := wire.APIKeyList{Keys: orEmpty(list)}
	if more {
		answer.Next = list[len(list)-1].ID
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

func keyID(r *http.Request) (string, error) {
	id, err := pathName(r, "id", MaxNameBytes)
	if err != nil {
		return "", err
	}
	if !access.ValidID(id) {
		return "", Invalid("id", "must be the 16 hex digits between ock_ and the secret")
	}
	return id, nil
}
