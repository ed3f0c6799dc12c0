package wire

// Limits of the store.
const (
	MaxKeyBytes        = 1 << 10
	MaxValueBytes      = 1 << 20
	MaxBatchOperations = 1000
)

// Kinds of a key.
const (
	KindRegister = "register"
	KindCounter  = "counter"
)

// Counter answers a GET of a counter and an increment.
type Counter struct {
	Key   string `json:"key"`
	Value int64  `json:"value"`
}

// IncrementRequest is the body of POST /v1/kv/{key}/increment. An empty body adds one.
type IncrementRequest struct {
	By *int64 `json:"by,omitempty"` // may be negative, not 0; nil means 1
}

// Value is the content of a key inside JSON. Exactly one member is present: Counter for counters; for registers Text
// when the bytes are valid UTF-8, else Base64 (standard alphabet, padded).
type Value struct {
	Text    *string `json:"value,omitempty"`
	Base64  *string `json:"value_base64,omitempty"`
	Counter *int64  `json:"counter,omitempty"`
}

// KeyInfo is one line of a listing. With ?values=1 it carries the content too.
type KeyInfo struct {
	Key         string `json:"key"`
	Kind        string `json:"kind"` // "register" or "counter"
	ContentType string `json:"content_type,omitempty"`
	Size        int    `json:"size,omitempty"` // bytes of a register
	ETag        string `json:"etag,omitempty"` // with its quotes, as in the header
	ExpiresAt   string `json:"expires_at,omitempty"`
	Value
}

// KeyList answers GET /v1/kv, ordered by key.
type KeyList struct {
	Keys []KeyInfo `json:"keys"`
	Next string    `json:"next,omitempty"`
}

// Operations of a batch.
const (
	OpGet       = "get"
	OpPut       = "put"
	OpDelete    = "delete"
	OpIncrement = "increment"
)

// KVBatchRequest is the body of POST /v1/kv. Operations are applied in order, each on its own: one that fails does
// not undo the others.
type KVBatchRequest struct {
	Operations []KVOperation `json:"operations"`
}

// KVOperation is one operation of a batch.
type KVOperation struct {
	Op          string  `json:"op"`
	Key         string  `json:"key"`
	Text        *string `json:"value,omitempty"`        // put: UTF-8 content …
	Base64      *string `json:"value_base64,omitempty"` // … or bytes; exactly one of the two
	ContentType string  `json:"content_type,omitempty"` // put
	TTLSeconds  *int64  `json:"ttl_seconds,omitempty"`  // put
	By          *int64  `json:"by,omitempty"`           // increment
	IfMatch     string  `json:"if_match,omitempty"`     // put, delete: as the header
	IfNoneMatch string  `json:"if_none_match,omitempty"`
}

// KVBatchResponse answers a batch, results in the order of the operations.
type KVBatchResponse struct {
	Results []KVResult `json:"results"`
}

// KVResult is the outcome of one operation: Status as the same request alone would have had, and the content of a
// get or an increment, or the problem.
type KVResult struct {
	Key         string   `json:"key"`
	Status      int      `json:"status"`
	ContentType string   `json:"content_type,omitempty"`
	ETag        string   `json:"etag,omitempty"`
	ExpiresAt   string   `json:"expires_at,omitempty"`
	Problem     *Problem `json:"problem,omitempty"`
	Value
}

// Events of the change stream.
const (
	// EventOpen is the first event: its id resumes at the beginning of the stream.
	EventOpen = "open"
	// EventPut: the key has this content now.
	EventPut = "put"
	// EventDelete: the key is gone (deleted or expired).
	EventDelete = "delete"
	// EventReset: the stream cannot continue from where the client left off. The present content of every key
	// follows as put events; a key that does not follow no longer exists.
	EventReset = "reset"
)

// Event is the data of one server-sent event. The event's id is the token to resume from.
type Event struct {
	Key         string `json:"key,omitempty"`
	Kind        string `json:"kind,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	ETag        string `json:"etag,omitempty"`
	ExpiresAt   string `json:"expires_at,omitempty"`
	Value
}
