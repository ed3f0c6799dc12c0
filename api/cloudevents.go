package api

import (
	"encoding/json"
	"fmt"

	"github.com/openclaw/clawd/api/wire"
)

// cloudEvent is a usage event in the envelope of CloudEvents 1.0. Extension attributes are let through, as that
// specification asks.
type cloudEvent struct {
	ID, Source, Type string
	Time             wire.Time
	Data             json.RawMessage
}

// UnmarshalJSON keeps the attributes that matter here.
func (e *cloudEvent) UnmarshalJSON(b []byte) error {
	var in struct {
		SpecVersion string          `json:"specversion"`
		ID          string          `json:"id"`
		Source      string          `json:"source"`
		Type        string          `json:"type"`
		Time        wire.Time       `json:"time"`
		Data        json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.SpecVersion != "1.0" {
		return Invalid("specversion", "must be 1.0")
	}
	*e = cloudEvent{in.ID, in.Source, in.Type, in.Time, in.Data}
	return nil
}

// usage reads the event that is the data. Its id is the source and the id of the envelope, which together are unique.
func (e *cloudEvent) usage() (u wire.UsageEvent, err error) {
	if err := checkName("id", e.ID, wire.MaxEventIDBytes); err != nil {
		return u, err
	}
	if err := checkName("source", e.Source, wire.MaxEventIDBytes); err != nil {
		return u, err
	}
	if e.Data == nil {
		return u, Invalid("data", "is missing")
	}
	if err := decodeJSON(e.Data, &u); err != nil {
		return u, within("data", err)
	}
	if u.EventID != "" {
		return u, Invalid("data.event_id", "is said by the envelope's source and id")
	}
	u.EventID = e.Source + "\x00" + e.ID
	if u.OccurredAt == 0 {
		u.OccurredAt = e.Time
	}
	if err := checkUsage(&u); err != nil {
		return u, within("data", err)
	}
	return u, nil
}

func readCloudBatch(data []byte) ([]wire.UsageEvent, error) {
	var batch []cloudEvent
	if err := decodeJSON(data, &batch); err != nil {
		return nil, err
	}
	if err := checkCount(len(batch)); err != nil {
		return nil, err
	}
	events := make([]wire.UsageEvent, len(batch))
	for i := range batch {
		var err error
		if events[i], err = batch[i].usage(); err != nil {
			return nil, within(fmt.Sprintf("[%d]", i), err)
		}
	}
	return events, nil
}
