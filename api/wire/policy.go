package wire

import "github.com/openclaw/clawd/ratelimit"

// Policy is the limit of the agents whose name its match fits.
type Policy = ratelimit.Policy

// PolicyList answers GET /v1/policies, ordered by name.
type PolicyList struct {
	Policies []Policy `json:"policies"`
	Next     string   `json:"next,omitempty"`
}
