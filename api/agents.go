package api

import (
	"net/http"

	"github.com/openclaw/clawd/api/wire"
)

// agents tells about agents and changes what is known of them.
type agents struct {
	read  Agents
	admin AgentAdmin
}

// explain answers GET /v1/agents/{agent}, and with ?tokens= whether so many could be had.
func (a agents) explain(w http.ResponseWriter, r *http.Request) error {
	agent, err := pathName(r, "agent", MaxNameBytes)
	if err != nil {
		return err
	}
	q, err := query(r, "tokens")
	if err != nil {
		return err
	}
	tokens, err := queryInt(q, "tokens", MaxTokens, 0)
	if err != nil {
		return err
	}
	answer, err := a.read.Explain(r.Context(), Check{Tenant: tenantOf(w), Agent: agent, Tokens: tokens})
	if err != nil {
		return err
	}
	answer.Origins = orEmpty(answer.Origins)
	answer.Buckets = orEmpty(answer.Buckets)
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// list answers GET /v1/agents, by name or with ?top= by business.
func (a agents) list(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, append([]string{"top"}, pageParams...)...)
	if err != nil {
		return err
	}
	if q.Has("top") {
		if len(q) > 1 {
			return Invalid("top", "does not go with other parameters")
		}
		n, err := queryInt(q, "top", maxPage, 0)
		if err != nil {
			return err
		}
		top, err := a.read.TopAgents(r.Context(), tenantOf(w), int(n))
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, wire.AgentList{Agents: orEmpty(top)})
		return nil
	}
	p, err := page(tenantOf(w), q, MaxNameBytes)
	if err != nil {
		return err
	}
	list, more, err := a.read.ListAgents(r.Context(), p)
	if err != nil {
		return err
	}
	answer := wire.AgentList{Agents: orEmpty(list)}
	if more {
		answer.Next = list[len(list)-1].Agent
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// refund answers POST /v1/agents/{agent}/refund.
func (a agents) refund(w http.ResponseWriter, r *http.Request) error {
	agent, err := pathName(r, "agent", MaxNameBytes)
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	var body wire.RefundRequest
	if err := readJSON(w, r, maxJSONBody, &body, false); err != nil {
		return err
	}
	if body.Tokens < 1 || body.Tokens > MaxTokens {
		return tokensOutOfRange()
	}
	check := Check{Tenant: tenantOf(w), Agent: agent, Tokens: body.Tokens}
	if body.Policy != nil {
		if err := checkInline(*body.Policy); err != nil {
			return err
		}
		check.Inline = Inline{Given: true, Policy: *body.Policy}
	}
	answer, err := a.admin.Refund(r.Context(), check)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// reset answers POST /v1/agents/{agent}/reset.
func (a agents) reset(w http.ResponseWriter, r *http.Request) error {
	agent, err := pathName(r, "agent", MaxNameBytes)
	if err != nil {
		return err
	}
	if err := nothingElse(w, r); err != nil {
		return err
	}
	if err := a.admin.ResetAgent(r.Context(), tenantOf(w), agent); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.ResetResponse{Agent: agent, Reset: true})
	return nil
}

// delete answers DELETE /v1/agents/{agent}.
func (a agents) delete(w http.ResponseWriter, r *http.Request) error {
	agent, err := pathName(r, "agent", MaxNameBytes)
	if err != nil {
		return err
	}
	if err := nothingElse(w, r); err != nil {
		return err
	}
	if err := a.admin.DeleteAgent(r.Context(), tenantOf(w), agent); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// nothingElse refuses parameters and a body where none has a meaning. An empty JSON object is no body.
func nothingElse(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	return readJSON(w, r, maxJSONBody, &struct{}{}, true)
}

// orEmpty makes a list without elements [] rather than null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
