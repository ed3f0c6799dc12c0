package api

import (
	"net/http"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// prices reads and writes what models cost.
type prices struct {
	read  PriceReader
	write PriceWriter
}

// list answers GET /v1/prices.
func (p prices) list(w http.ResponseWriter, r *http.Request) error {
	list, next, err := namedPage(w, r, p.read.ListPrices, func(one *wire.Price) string { return one.Model })
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.PriceList{Prices: list, Next: next})
	return nil
}

// get answers GET /v1/prices/{model}: the version that rates a model now, or at an instant.
func (p prices) get(w http.ResponseWriter, r *http.Request) error {
	model, err := pathName(r, "model", MaxNameBytes)
	if err != nil {
		return err
	}
	q, err := query(r, "at")
	if err != nil {
		return err
	}
	var at time.Time
	if q.Has("at") {
		if at, err = time.Parse(time.RFC3339, q.Get("at")); err != nil {
			return Invalid("at", "must be an RFC 3339 time, such as 2026-01-31T12:00:00Z")
		}
	}
	price, err := p.read.PriceAt(r.Context(), tenantOf(w), model, at)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, price)
	return nil
}

// put answers PUT /v1/prices/{model}.
func (p prices) put(w http.ResponseWriter, r *http.Request) error {
	model, err := pathName(r, "model", MaxNameBytes)
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	var price wire.Price
	if err := readJSON(w, r, maxJSONBody, &price, false); err != nil {
		return err
	}
	if price.Model != "" && price.Model != model {
		return Invalid("model", "is %q, but the path says %q", price.Model, model)
	}
	price.Model = model
	if err := price.Validate(); err != nil {
		return err
	}
	stored, created, err := p.write.PutPrice(r.Context(), tenantOf(w), price)
	if err != nil {
		return err
	}
	writeJSON(w, createdOr(http.StatusOK, Written{Created: created}), stored)
	return nil
}

// delete answers DELETE /v1/prices/{model}: versions that are not in force yet.
func (p prices) delete(w http.ResponseWriter, r *http.Request) error {
	model, err := pathName(r, "model", MaxNameBytes)
	if err != nil {
		return err
	}
	if err := nothingElse(w, r); err != nil {
		return err
	}
	if err := p.write.DeletePrice(r.Context(), tenantOf(w), model); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
