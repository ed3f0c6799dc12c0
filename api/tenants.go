package api

import (
	"net/http"

	"github.com/openclaw/clawd/api/wire"
)

// tenants shows and bounds tenants.
type tenants struct {
	read  TenantReader
	write TenantWriter
}

// list answers GET /v1/tenants.
func (t tenants) list(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, pageParams...)
	if err != nil {
		return err
	}
	p, err := page(tenantOf(w), q, MaxNameBytes)
	if err != nil {
		return err
	}
	list, more, err := t.read.ListTenants(r.Context(), callerOf(w), p)
	if err != nil {
		return err
	}
	answer := wire.TenantList{Tenants: orEmpty(list)}
	if more {
		answer.Next = list[len(list)-1].Tenant
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// get answers GET /v1/tenants/{tenant}.
func (t tenants) get(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "tenant", MaxNameBytes)
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	tenant, err := t.read.Tenant(r.Context(), callerOf(w), name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, tenant)
	return nil
}

// put answers PUT /v1/tenants/{tenant}.
func (t tenants) put(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "tenant", MaxNameBytes)
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	var body wire.NewTenant
	if err := readJSON(w, r, maxJSONBody, &body, false); err != nil {
		return err
	}
	if err := checkQuota(&body.Quota); err != nil {
		return err
	}
	tenant, created, err := t.write.PutTenant(r.Context(), name, body)
	if err != nil {
		return err
	}
	writeJSON(w, createdOr(http.StatusOK, Written{Created: created}), tenant)
	return nil
}

func checkQuota(q *wire.Quota) error {
	for _, bound := range []struct {
		field string
		n     int64
	}{
		{"requests_per_second", q.RequestsPerSecond},
		{"agents", q.Agents},
		{"kv_bytes", q.KVBytes},
		{"watchers", q.Watchers},
		{"merge_share", q.MergeShare},
	} {
		if bound.n < 0 || bound.n > maxIncrement {
			return Invalid("quota."+bound.field, "must be a whole number from 1 to %d, or 0 for no bound", int64(maxIncrement))
		}
	}
	const fastest = 1_000_000_000
	if q.RequestsPerSecond > fastest {
		return Invalid("quota.requests_per_second", "must be at most %d", fastest)
	}
	return nil
}

// delete answers DELETE /v1/tenants/{tenant}.
func (t tenants) delete(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "tenant", MaxNameBytes)
	if err != nil {
		return err
	}
	if err := nothingElse(w, r); err != nil {
		return err
	}
	if err := t.write.DeleteTenant(r.Context(), name); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
