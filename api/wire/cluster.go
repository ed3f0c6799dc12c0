package wire

// States of a member.
const (
	StateJoining = "joining" // up, does not yet have the cluster's facts
	StateReady   = "ready"
	StateFailed  = "failed" // silent; still counted as a member
	StateLeaving = "leaving"
	StateLeft    = "left"
)

// Cluster answers GET /v1/cluster: the members as this node sees them, itself included.
type Cluster struct {
	Name    string   `json:"name"`
	Self    string   `json:"self"` // name of this node
	Members []Member `json:"members"`
}

// Member is one node of the cluster. The numbers are this node's view of it; those of itself are 0.
type Member struct {
	Name        string `json:"name"`
	Node        string `json:"node"` // node id, 16 hex digits
	Run         string `json:"run"`
	State       string `json:"state"`
	HTTPAddr    string `json:"http_addr"`
	PeerAddr    string `json:"peer_addr"`
	GossipAddr  string `json:"gossip_addr,omitempty"`
	Version     string `json:"version,omitempty"`
	StalenessMS int64  `json:"staleness_ms"`
	ClockSkewMS int64  `json:"clock_skew_ms"`
	LagRows     int64  `json:"lag_rows"` // rows of ours it has not acknowledged
}

// JoinRequest is the body of POST /v1/cluster/join.
type JoinRequest struct {
	Addresses []string `json:"addresses"` // gossip addresses, host:port
}

// JoinResponse tells how many of the addresses answered.
type JoinResponse struct {
	Joined int `json:"joined"`
}

// LeaveResponse answers POST /v1/cluster/leave: the node drains and leaves after this answer.
type LeaveResponse struct {
	State string `json:"state"` // "leaving"
}

// ForgetRequest is the body of POST /v1/cluster/forget. The member is lost for good: it no longer holds anything back,
// and a node that comes back with its identity is refused.
type ForgetRequest struct {
	Member string `json:"member"` // name or node id
}

// ForgetResponse names the member that was forgotten.
type ForgetResponse struct {
	Member string `json:"member"`
	Node   string `json:"node"`
}

// Health check results.
const (
	HealthOK       = "ok"
	HealthDegraded = "degraded" // answers, more conservatively or less durably; does not make the node unready
	HealthFailed   = "failed"   // makes the node unready
)

// Health answers /livez, /readyz and /healthz; Checks and the reasons only with ?verbose.
type Health struct {
	Status string        `json:"status"` // the worst of the checks
	Checks []HealthCheck `json:"checks,omitempty"`
}

// HealthCheck is one thing looked at.
type HealthCheck struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// BackupRequest is the body of POST /v1/backup.
type BackupRequest struct {
	Directory string `json:"directory"` // absolute path on the node; must not exist or be empty
}

// BackupResponse tells where the checkpoint is and how large.
type BackupResponse struct {
	Directory string `json:"directory"`
	Bytes     int64  `json:"bytes"`
	Files     int    `json:"files"`
}
