package api

import (
	"net/http"

	"github.com/openclaw/clawd/api/wire"
)

// pools reads and writes pools.
type pools struct {
	read  PoolReader
	write PoolWriter
}

// list answers GET /v1/pools.
func (p pools) list(w http.ResponseWriter, r *http.Request) error {
	list, next, err := namedPage(w, r, p.read.ListPools, func(one *wire.Pool) string { return one.Name })
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.PoolList{Pools: list, Next: next})
	return nil
}

// maxTopForecasts bounds ?top= of a pool.
const maxTopForecasts = 1000

// get answers GET /v1/pools/{name}.
func (p pools) get(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "name", MaxNameBytes)
	if err != nil {
		return err
	}
	q, err := query(r, "top")
	if err != nil {
		return err
	}
	top, err := queryInt(q, "top", maxTopForecasts, 0)
	if err != nil {
		return err
	}
	state, version, err := p.read.Pool(r.Context(), tenantOf(w), name, int(top))
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(version))
	writeJSON(w, http.StatusOK, state)
	return nil
}

// put answers PUT /v1/pools/{name}.
func (p pools) put(w http.ResponseWriter, r *http.Request) error {
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
	pool, err := readObject[wire.Pool](w, r)
	if err != nil {
		return err
	}
	if err := pool.Validate(); err != nil {
		return err
	}
	if pool.Name != "" && pool.Name != name {
		return Invalid("name", "is %q, but the path says %q", pool.Name, name)
	}
	pool.Name = name
	written, err := p.write.PutPool(r.Context(), tenantOf(w), pool, cond)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(written.Version))
	writeJSON(w, createdOr(http.StatusOK, written), pool)
	return nil
}

// delete answers DELETE /v1/pools/{name}.
func (p pools) delete(w http.ResponseWriter, r *http.Request) error {
	return remove(w, r, "name", MaxNameBytes, p.write.DeletePool)
}
