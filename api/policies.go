package api

import (
	"context"
	"net/http"

	"github.com/openclaw/clawd/api/wire"
)

// policies reads and writes policies.
type policies struct {
	read  PolicyReader
	write PolicyWriter
}

// list answers GET /v1/policies.
func (p policies) list(w http.ResponseWriter, r *http.Request) error {
	list, next, err := namedPage(w, r, p.read.ListPolicies, func(one *wire.Policy) string { return one.Name })
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.PolicyList{Policies: list, Next: next})
	return nil
}

// get answers GET /v1/policies/{name}.
func (p policies) get(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "name", MaxNameBytes)
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	policy, version, err := p.read.Policy(r.Context(), tenantOf(w), name)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(version))
	writeJSON(w, http.StatusOK, policy)
	return nil
}

// put answers PUT /v1/policies/{name}.
func (p policies) put(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "name", MaxNameBytes)
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	cond, err := condition(r.Header)
	if err != nil {
		return err
	}
	policy, err := readObject[wire.Policy](w, r)
	if err != nil {
		return err
	}
	if err := policy.Validate(); err != nil {
		return err
	}
	if policy.Name != "" && policy.Name != name {
		return Invalid("name", "is %q, but the path says %q", policy.Name, name)
	}
	policy.Name = name
	written, err := p.write.PutPolicy(r.Context(), tenantOf(w), policy, cond)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(written.Version))
	writeJSON(w, createdOr(http.StatusOK, written), policy)
	return nil
}

// delete answers DELETE /v1/policies/{name}.
func (p policies) delete(w http.ResponseWriter, r *http.Request) error {
	return remove(w, r, "name", MaxNameBytes, p.write.DeletePolicy)
}

// remove answers a DELETE that may carry a condition.
func remove(w http.ResponseWriter, r *http.Request, param string, maxBytes int,
	do func(ctx context.Context, tenant, name string, cond Condition) error,
) error {
	name, err := pathName(r, param, maxBytes)
	if err != nil {
		return err
	}
	cond, err := condition(r.Header)
	if err != nil {
		return err
	}
	if err := nothingElse(w, r); err != nil {
		return err
	}
	if err := do(r.Context(), tenantOf(w), name, cond); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// condition reads If-Match and If-None-Match of a write.
func condition(h http.Header) (c Condition, err error) {
	if c.Match, err = parseTags("If-Match", h.Values("If-Match")); err != nil {
		return c, err
	}
	c.NoneMatch, err = parseTags("If-None-Match", h.Values("If-None-Match"))
	return c, err
}

// createdOr is 201 for what is new, else the given status.
func createdOr(status int, w Written) int {
	if w.Created {
		return http.StatusCreated
	}
	return status
}
