package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// query returns the query parameters, refusing any that are not known and any given twice: a misspelt parameter would
// otherwise change what is done without a word.
func query(r *http.Request, known ...string) (url.Values, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, Invalid("query", "is not percent-encoded properly")
	}
	for name, values := range q {
		if !slices.Contains(known, name) {
			return nil, unknown("query", name, "parameter")
		}
		if len(values) > 1 {
			return nil, Invalid(name, "is given %d times", len(values))
		}
	}
	return q, nil
}

// queryInt returns a whole number from 1 to highest, or def when the parameter is absent.
func queryInt(q url.Values, name string, highest, def int64) (int64, error) {
	if !q.Has(name) {
		return def, nil
	}
	return parseInt(name, q.Get(name), 1, highest)
}

func parseInt(field, s string, lowest, highest int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < lowest || n > highest {
		return 0, Invalid(field, "must be a whole number from %d to %d", lowest, highest)
	}
	return n, nil
}

// queryFlag returns whether a switch is on. ?verbose and ?verbose=1 are on, =0 is off.
func queryFlag(q url.Values, name string) (bool, error) {
	if !q.Has(name) {
		return false, nil
	}
	switch q.Get(name) {
	case "", "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	}
	return false, Invalid(name, "must be 1 or 0")
}

// page reads prefix, after and limit.
func page(tenant string, q url.Values, maxBytes int) (Page, error) {
	p := Page{Tenant: tenant, Prefix: q.Get("prefix"), After: q.Get("after")}
	if err := checkPrefix("prefix", p.Prefix, maxBytes); err != nil {
		return Page{}, err
	}
	if err := checkPrefix("after", p.After, maxBytes); err != nil {
		return Page{}, err
	}
	limit, err := queryInt(q, "limit", maxPage, defaultPage)
	p.Limit = int(limit)
	return p, err
}

// pageParams are the parameters page reads.
var pageParams = []string{"prefix", "after", "limit"}

// namedPage reads for all that are listed by name: a page of them, and the after of the following page.
func namedPage[T any](w http.ResponseWriter, r *http.Request,
	read func(context.Context, Page) ([]T, bool, error), name func(*T) string,
) (list []T, next string, err error) {
	q, err := query(r, pageParams...)
	if err != nil {
		return nil, "", err
	}
	which, err := page(tenantOf(w), q, MaxNameBytes)
	if err != nil {
		return nil, "", err
	}
	list, more, err := read(r.Context(), which)
	if more && err == nil {
		next = name(&list[len(list)-1])
	}
	return orEmpty(list), next, err
}
