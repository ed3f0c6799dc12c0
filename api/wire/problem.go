package wire

// ContentType… are the media types of the interface.
const (
	ContentTypeJSON    = "application/json"
	ContentTypeProblem = "application/problem+json"
	ContentTypeEvents  = "text/event-stream"
	ContentTypeBytes   = "application/octet-stream"
	// ContentTypeMerge is the binary form of messages between peers.
	ContentTypeMerge = "application/x-clawd-merge;v=1"
)

// Problem types. Everything not listed is "about:blank", where the title is the status's own phrase.
const (
	ProblemBlank           = "about:blank"
	ProblemQuotaExceeded   = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	ProblemReducedCapacity = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
)

// Problem is an RFC 9457 problem document: the body of every answer that is not a success.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Field names what was wrong in the request, as a path into the body (checks[3].tokens), a query parameter, a
	// header or a path parameter.
	Field string `json:"field,omitempty"`
	// Violated names the policies that denied, as the RateLimit draft asks for.
	Violated []string `json:"violated-policies,omitempty"`
	// RequestID is what the log calls this request.
	RequestID string `json:"request_id,omitempty"`
}
