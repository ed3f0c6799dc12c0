package api

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"

	"github.com/openclaw/clawd/api/wire"
)

// usage takes usage events and tells what they cost.
type usage struct {
	record UsageRecorder
	read   UsageReader
}

// serve answers POST /v1/usage: one event, several, or CloudEvents. A request with something malformed in it is refused
// whole, before anything is billed; an event that is refused when it is billed is refused alone.
func (u usage) serve(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	events, several, err := readEvents(w, r)
	if err != nil {
		return err
	}
	out := make([]UsageOutcome, len(events))
	if err := u.record.RecordUsage(r.Context(), tenantOf(w), events, out); err != nil {
		return err
	}
	if !several {
		if out[0].Err != nil {
			return out[0].Err
		}
		writeJSON(w, http.StatusOK, out[0].Result)
		return nil
	}
	writeJSON(w, http.StatusOK, usageResponse(events, out))
	return nil
}

func usageResponse(events []wire.UsageEvent, out []UsageOutcome) wire.UsageResponse {
	answer := wire.UsageResponse{Results: make([]wire.UsageResult, len(out))}
	for i := range out {
		res := &answer.Results[i]
		*res = out[i].Result
		switch {
		case out[i].Err != nil:
			p, _ := problemOf(out[i].Err)
			*res = wire.UsageResult{EventID: events[i].EventID, Items: []wire.Item{}, Status: p.Status, Problem: &p}
			answer.Rejected++
			continue
		case res.Duplicate:
			answer.Duplicates++
		default:
			answer.Accepted++
		}
		res.Status = http.StatusOK
	}
	return answer
}

// readEvents reads a body in any of its forms; several tells that the answer is a list, too.
func readEvents(w http.ResponseWriter, r *http.Request) (events []wire.UsageEvent, several bool, err error) {
	buf := buffers.Get().(*bytes.Buffer)
	defer releaseBuffer(buf)
	if err := readBody(w, r, maxBatchBody, buf); err != nil {
		return nil, false, err
	}
	if buf.Len() == 0 {
		return nil, false, Invalid("body", "is empty")
	}
	switch base, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); base {
	case wire.ContentTypeCloudEvent:
		var e cloudEvent
		if err := decodeJSON(buf.Bytes(), &e); err != nil {
			return nil, false, err
		}
		event, err := e.usage()
		return []wire.UsageEvent{event}, false, err
	case wire.ContentTypeCloudEventBatch:
		events, err := readCloudBatch(buf.Bytes())
		return events, true, err
	}
	if err := wantJSON(r.Header); err != nil {
		return nil, false, err
	}
	return decodeEvents(buf.Bytes())
}

// decodeEvents reads one event, or an object with several.
func decodeEvents(data []byte) (events []wire.UsageEvent, several bool, err error) {
	var body struct {
		wire.UsageEvent
		Events *[]wire.UsageEvent `json:"events"`
	}
	if err := decodeJSON(data, &body); err != nil {
		return nil, false, err
	}
	if body.Events == nil {
		err := checkEvent(&body.UsageEvent)
		return []wire.UsageEvent{body.UsageEvent}, false, err
	}
	if body.UsageEvent != (wire.UsageEvent{}) {
		return nil, true, Invalid("events", "does not go with the members of a single event")
	}
	events = *body.Events
	if err := checkCount(len(events)); err != nil {
		return nil, true, err
	}
	for i := range events {
		if err := checkEvent(&events[i]); err != nil {
			return nil, true, within(fmt.Sprintf("events[%d]", i), err)
		}
	}
	return events, true, nil
}

func checkCount(n int) error {
	if n == 0 || n > wire.MaxUsageEvents {
		return Invalid("events", "must have from 1 to %d elements", wire.MaxUsageEvents)
	}
	return nil
}

// checkEvent checks an event and fills in the one request that it stands for.
func checkEvent(e *wire.UsageEvent) error {
	if err := checkName("event_id", e.EventID, wire.MaxEventIDBytes); err != nil {
		return err
	}
	return checkUsage(e)
}

// checkUsage is checkEvent but for the id.
func checkUsage(e *wire.UsageEvent) error {
	if err := checkName("agent", e.Agent, MaxNameBytes); err != nil {
		return err
	}
	if err := checkName("model", e.Model, MaxNameBytes); err != nil {
		return err
	}
	if e.Requests == 0 {
		e.Requests = 1
	}
	return e.Validate()
}
