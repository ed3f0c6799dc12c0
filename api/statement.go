package api

import (
	"encoding/csv"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// maxStatementDays bounds what one statement reads.
const maxStatementDays = 400

// statement answers GET /v1/agents/{agent}/usage, as JSON or CSV.
func (u usage) statement(w http.ResponseWriter, r *http.Request) error {
	agent, err := pathName(r, "agent", MaxNameBytes)
	if err != nil {
		return err
	}
	q, err := query(r, "from", "to", "group_by")
	if err != nil {
		return err
	}
	ask := StatementQuery{Tenant: tenantOf(w), Agent: agent, GroupBy: q.Get("group_by")}
	switch ask.GroupBy {
	case "", GroupByModel, GroupByDay:
	default:
		return Invalid("group_by", "must be model or day")
	}
	if ask.From, ask.To, err = days(q); err != nil {
		return err
	}
	s, err := u.read.Statement(r.Context(), ask)
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	if wantsCSV(r.Header) {
		return writeStatementCSV(w, &s)
	}
	writeJSON(w, http.StatusOK, s)
	return nil
}

// days reads from and to. What is absent stays the zero time.
func days(q url.Values) (from, to time.Time, err error) {
	day := func(name string) (t time.Time, err error) {
		if !q.Has(name) {
			return t, nil
		}
		if t, err = time.Parse(time.DateOnly, q.Get(name)); err != nil || t.Year() < 1970 {
			return t, Invalid(name, "must be a day such as 2026-01-31")
		}
		return t, nil
	}
	if from, err = day("from"); err != nil {
		return from, to, err
	}
	if to, err = day("to"); err != nil {
		return from, to, err
	}
	if q.Has("from") && q.Has("to") {
		if to.Before(from) {
			return from, to, Invalid("to", "must not be before from")
		}
		if to.Sub(from) >= maxStatementDays*24*time.Hour {
			return from, to, Invalid("to", "must be within %d days of from", maxStatementDays)
		}
	}
	return from, to, nil
}

func wantsCSV(h http.Header) bool {
	for part := range strings.SplitSeq(h.Get("Accept"), ",") {
		if base, _, err := mime.ParseMediaType(strings.TrimSpace(part)); err == nil && base == wire.ContentTypeCSV {
			return true
		}
	}
	return false
}

func writeStatementCSV(w http.ResponseWriter, s *wire.Statement) error {
	w.Header().Set("Content-Type", wire.ContentTypeCSV+"; charset=utf-8")
	out := csv.NewWriter(w)
	_ = out.Write([]string{
		"agent", "day", "model", "requests", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "amount", "currency",
	})
	for i := range s.Items {
		it := &s.Items[i]
		amount, currency := "", ""
		if it.Amount != nil {
			amount, currency = it.Amount.String(), s.Currency
		}
		n := func(v uint64) string { return strconv.FormatUint(v, 10) }
		_ = out.Write([]string{
			s.Agent, it.Day, it.Model, n(it.Requests), n(it.InputTokens), n(it.CachedInputTokens), n(it.OutputTokens), n(it.ReasoningTokens), amount, currency,
		})
	}
	out.Flush() // what goes wrong from here on is the connection's
	return nil
}
