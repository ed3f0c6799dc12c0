package api

import (
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
)

// Bounds of what a request may bring. Bodies beyond their bound are refused with 413 before they are read whole.
const (
	MaxNameBytes = 128                  // agents, policies, members
	MaxTokens    = ratelimit.MaxTokens  // of one call
	maxIncrement = 1 << 53              // what a JSON number carries without loss
	maxTTL       = 10 * 365 * 24 * 3600 // seconds
	maxTypeBytes = 255                  // of a stored content type
	maxJoin      = 64                   // addresses of one join
	maxPage      = 1000                 // entries of one page of a listing
	defaultPage  = 100
	maxPageBytes = 4 << 20 // values of one page

	maxConsumeBody = 16 << 10
	maxJSONBody    = 64 << 10
	maxValueBody   = wire.MaxValueBytes
	maxBatchBody   = 4 << 20 // consume batch and kv batch
	maxPeerBody    = 4 << 20
)
