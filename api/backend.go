package api

import (
	"context"
	"io"
	"time"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
)

// DefaultTenant is the tenant of all requests as long as there are no API keys.
const DefaultTenant = access.DefaultTenant

// Check is one question to the limiter: may this agent have so many tokens now? The api has validated the name and
// that Tokens is positive and within range; the limiter refuses more tokens than the capacity with Invalid("tokens", …).
// Agent may point into a buffer that is used again when the call has returned: whoever keeps it clones it.
type Check struct {
	Tenant string
	Agent  string
	Tokens int64 // whole tokens
	Inline Inline
	// Retry: the same was refused before. The limit does not change, but a pool counts the wish once.
	Retry bool
}

// Inline is the policy a caller sent along; Given is false when it sent none. It is a value, not a pointer, so that the
// hot path does not allocate.
type Inline struct {
	Given  bool
	Policy wire.InlinePolicy
}

// Decision is the limiter's answer. A denial is a Decision, not an error. Its Policy is the name for RateLimit-Policy;
// an empty one (an inline policy has no name) is shown as "inline".
type Decision = ratelimit.Decision

// Limiter admits or denies.
type Limiter interface {
	// Consume takes the tokens if they can be had now. It is durable when it returns as far as the policy's durability
	// says. Errors: ErrInvalid (more tokens than the capacity, …), ErrConflict (too many live inline policies of one
	// agent), ErrUnavailable. After an error nothing was taken.
	Consume(ctx context.Context, c Check) (Decision, error)
	// ConsumeBatch answers every check in out, which has the length of checks. It looks for invalid checks before it
	// takes anything, and names them by InvalidCheck. When atomic and one check cannot pass, nothing is taken and no
	// decision is Allowed; those that would have passed alone have RetryAfter 0. binding is the index of the denied
	// check that will be grantable last, -1 when all were allowed.
	ConsumeBatch(ctx context.Context, checks []Check, atomic bool, out []Decision) (binding int, err error)
}

// Page asks for part of a listing ordered by name.
type Page struct {
	Tenant string
	Prefix string
	After  string // names greater than this
	Limit  int    // at most so many, 1..1000
	// MaxBytes ends a page early, after the entry whose value takes the sum of value sizes past it; 0 = no bound. It is
	// set when values are listed too.
	MaxBytes int
}

// Agents tells about agents. All answers are local views.
type Agents interface {
	// Explain never fails for an agent it has not seen: that one consumed nothing and is full. Tokens > 0 asks whether
	// so many could be had now (WouldAllow and RetryAfterMS are then about them); 0 asks nothing. Nothing is consumed.
	Explain(ctx context.Context, c Check) (wire.Agent, error)
	// ListAgents returns the known agents in order of their names; more tells whether others follow the last.
	ListAgents(ctx context.Context, p Page) (agents []wire.AgentSummary, more bool, err error)
	// TopAgents returns the n busiest, busiest first.
	TopAgents(ctx context.Context, tenant string, n int) ([]wire.AgentSummary, error)
}

// AgentAdmin changes what is known of agents.
type AgentAdmin interface {
	// Refund gives tokens back, at most what was consumed; the answer's Refunded tells how many.
	Refund(ctx context.Context, c Check) (wire.RefundResponse, error)
	// ResetAgent fills all buckets of the agent, here and on the peers. Totals stay.
	ResetAgent(ctx context.Context, tenant, agent string) error
	// DeleteAgent forgets the agent and its totals. Deleting an agent never seen is no error.
	DeleteAgent(ctx context.Context, tenant, agent string) error
}

// PolicyReader reads policies.
type PolicyReader interface {
	// Policy returns a policy and its version. Errors: ErrNotFound.
	Policy(ctx context.Context, tenant, name string) (p wire.Policy, version string, err error)
	// ListPolicies ignores Page.Prefix when it is empty, else returns names that begin with it.
	ListPolicies(ctx context.Context, p Page) (policies []wire.Policy, more bool, err error)
}

// PolicyWriter writes policies. Both return after the change is on disk.
type PolicyWriter interface {
	// PutPolicy stores a validated policy under p.Name. It calls cond.Check with the present version under the lock of the
	// write. Errors: what cond returned, ErrInvalid, ErrUnavailable.
	PutPolicy(ctx context.Context, tenant string, p wire.Policy, cond Condition) (w Written, err error)
	// DeletePolicy errors: ErrNotFound, what cond returned, ErrUnavailable.
	DeletePolicy(ctx context.Context, tenant, name string, cond Condition) error
}

// PoolReader reads pools.
type PoolReader interface {
	// Pool returns a pool with how it stands on this node, the top agents by forecast in it, and its version. Errors:
	// ErrNotFound.
	Pool(ctx context.Context, tenant, name string, top int) (p wire.PoolState, version string, err error)
	// ListPools is as ListPolicies.
	ListPools(ctx context.Context, p Page) (pools []wire.Pool, more bool, err error)
}

// PoolWriter writes pools. Both are as their likes for policies.
type PoolWriter interface {
	PutPool(ctx context.Context, tenant string, p wire.Pool, cond Condition) (w Written, err error)
	DeletePool(ctx context.Context, tenant, name string, cond Condition) error
}

// Reported is what a caller saw of the downstream of a pool or of an agent. The api has checked the numbers.
type Reported struct {
	Pool, Agent      string // one of them is empty
	Requests, Errors float64
	LatencySum       float64 // of all requests, in seconds
	Seconds          float64 // of the window, 0 = not said
}

// Feedback takes in reports. Errors: ErrNotFound (no such pool), ErrUnavailable. A report about an agent whose policy has
// no use for it is taken in and has no effect.
type Feedback interface {
	Feedback(ctx context.Context, tenant string, r Reported) error
}

// Written tells of a write that took place.
type Written struct {
	Version string // opaque: no quotes, no spaces, no controls; the api makes it an ETag
	Created bool   // there was nothing before
}

// PriceReader reads prices.
type PriceReader interface {
	// ListPrices returns versions ordered by model, then by the time from which they hold. Those of one model are never
	// parted, so that a page may be longer than its limit.
	ListPrices(ctx context.Context, p Page) (prices []wire.Price, more bool, err error)
	// PriceAt returns the version that rates a model at an instant; the zero time is now. Errors: ErrNotFound.
	PriceAt(ctx context.Context, tenant, model string, at time.Time) (wire.Price, error)
}

// PriceWriter writes prices. Both return after the change is on disk.
type PriceWriter interface {
	// PutPrice publishes a validated version; without EffectiveFrom it holds from now on. Errors: ErrConflict (a version
	// that holds already), ErrUnprocessable (another currency than the tenant's), ErrUnavailable.
	PutPrice(ctx context.Context, tenant string, p wire.Price) (stored wire.Price, created bool, err error)
	// DeletePrice withdraws the versions that do not hold yet. Errors: ErrNotFound, ErrConflict (there are none),
	// ErrUnavailable.
	DeletePrice(ctx context.Context, tenant, model string) error
}

// UsageOutcome is what became of one usage event. Err is of the kinds ErrUnprocessable (too old, or in the future),
// ErrConflict (its id was billed with other contents), ErrInvalid.
type UsageOutcome struct {
	Result wire.UsageResult
	Err    error
}

// UsageRecorder bills usage events.
type UsageRecorder interface {
	// RecordUsage bills each event once, and fills out, which has the length of events. It returns after all is on disk.
	// The error is for all of them: ErrUnavailable; what was billed by then counts, and the same events may be sent again.
	RecordUsage(ctx context.Context, tenant string, events []wire.UsageEvent, out []UsageOutcome) error
}

// What a statement's items are summed up by.
const (
	GroupByModel = "model"
	GroupByDay   = "day"
)

// StatementQuery asks for a statement. From and To are days in UTC, both included; the zero From is the first of To's
// month, and the zero To is today. GroupBy "" is one item a model and day.
type StatementQuery struct {
	Tenant, Agent string
	From, To      time.Time
	GroupBy       string
}

// UsageReader tells what agents used and what it costs.
type UsageReader interface {
	// Statement is empty for an agent that used nothing. Errors: ErrInvalid.
	Statement(ctx context.Context, q StatementQuery) (wire.Statement, error)
}

// Record is one key of the store.
type Record struct {
	Key         string
	Counter     bool
	Number      int64 // value of a counter
	Value       []byte
	ContentType string
	Version     string // of a register; "" for a counter, which has none
	ExpiresAt   int64  // unix ms, 0 = never
}

// Put is what to store under a key.
type Put struct {
	Tenant      string
	Key         string
	Value       []byte // the backend may keep it
	ContentType string
	TTL         time.Duration // 0 = for ever
	Cond        Condition
}

// KVReader reads the store. Reads are local.
type KVReader interface {
	// GetKey errors: ErrNotFound (also for expired and deleted keys).
	GetKey(ctx context.Context, tenant, key string) (Record, error)
	// ListKeys returns records ordered by key; Value is filled only when values is true, Size always.
	ListKeys(ctx context.Context, p Page, values bool) (keys []Listed, more bool, err error)
}

// Listed is a record of a listing, with the size of a value that may have been left out.
type Listed struct {
	Record
	Size int
}

// KVWriter writes the store. All return after the change is on disk.
type KVWriter interface {
	// PutKey stores a register. Errors: what Cond returned, ErrConflict (the key is a counter), ErrUnavailable.
	PutKey(ctx context.Context, p Put) (Written, error)
	// DeleteKey deletes a register or a counter. Errors: ErrNotFound, what cond returned, ErrUnavailable.
	DeleteKey(ctx context.Context, tenant, key string, cond Condition) error
	// IncrementKey adds to a counter, creating it at 0, and returns the value this node then sees. Errors: ErrConflict
	// (the key is a register), ErrInvalid (the counter would overflow), ErrUnavailable.
	IncrementKey(ctx context.Context, tenant, key string, by int64) (int64, error)
}

// Operation is one operation of a batch; which fields count depends on Op (wire.Op…).
type Operation struct {
	Op  string
	Put Put   // Key for all; the rest for put; Cond for put and delete
	By  int64 // increment
}

// Outcome is what became of an Operation. Err is of the kinds the same call alone returns.
type Outcome struct {
	Record  Record // of a get or an increment
	Written Written
	Err     error
}

// KVBatcher applies operations in order, each on its own, with one wait for the disk at the end.
type KVBatcher interface {
	// BatchKeys fills out, which has the length of ops. The error is for the batch as a whole: ErrUnavailable.
	BatchKeys(ctx context.Context, tenant string, ops []Operation, out []Outcome) error
}

// Change is one change of a key, as a watcher sees it.
type Change struct {
	Token   string // resumes after this change: opaque, printable ASCII without spaces; "" = resume by an earlier one
	Reset   bool   // the stream starts over: the present content of every watched key follows, forget what you hold
	Deleted bool   // Record has only the key
	Record  Record
}

// Subscription is an open change stream.
type Subscription struct {
	Token   string        // resumes at its beginning
	Changes <-chan Change // bounded; closed when ctx ends, the node stops, or the reader was too slow
}

// Watcher is the change stream.
type Watcher interface {
	// WatchKeys sends the changes of the keys with the prefix, each at least once and those of one key in order, though
	// changes in quick succession may be merged into the last. An empty token begins with the next change; a token of
	// an earlier Change or Subscription continues after it, on any node, if need be by a Change with Reset. A reader
	// that finds the channel closed resumes by its last token. The subscription is released when ctx ends. Errors:
	// ErrInvalid (token), ErrUnavailable (too many watchers).
	WatchKeys(ctx context.Context, tenant, prefix, token string) (Subscription, error)
}

// ClusterViewer tells who is in the cluster.
type ClusterViewer interface {
	Cluster(ctx context.Context) (wire.Cluster, error)
}

// ClusterAdmin changes who is in the cluster.
type ClusterAdmin interface {
	// Join contacts other nodes by gossip address and returns how many answered. Errors: ErrUnavailable (none did),
	// ErrConflict (another cluster).
	Join(ctx context.Context, addresses []string) (int, error)
	// Leave starts the graceful leave and returns at once.
	Leave(ctx context.Context) error
	// Forget declares a member lost for good. Errors: ErrNotFound, ErrConflict (it is alive, or this node).
	Forget(ctx context.Context, member string) (wire.ForgetResponse, error)
}

// Health tells how the node is. Neither call may block.
type Health interface {
	// Live is nil unless the process must be restarted.
	Live() error
	// Ready lists everything looked at, with fixed names. The node is ready when none is wire.HealthFailed.
	Ready() []wire.HealthCheck
}

// Backuper writes a checkpoint of the store.
type Backuper interface {
	// Backup writes into a directory of the node that does not exist or is empty. Errors: ErrConflict (it is not
	// empty), ErrInvalid (field directory), ErrUnavailable.
	Backup(ctx context.Context, directory string) (wire.BackupResponse, error)
}

// Encoding is the form of a message between peers.
type Encoding int

// The two forms. Every peer route takes both, and answers in the form it was asked in (GETs: by Accept, else binary).
const (
	Binary Encoding = iota // wire.ContentTypeMerge
	JSON                   // application/json
)

// PeerRequest is a message from a peer, as bytes. Body is the handler's: valid until the call returns.
type PeerRequest struct {
	Peer     string // the node id or certificate name the listener has verified; "" when peers are not authenticated
	Encoding Encoding
	Body     []byte
}

// PeerMerger takes pushed pages.
type PeerMerger interface {
	// Merge applies one page whole or refuses it whole, and returns the answer in the request's encoding: the ack, or
	// with ErrGap what the sender must begin again from. Other errors: ErrInvalid (does not decode, fails its checksum,
	// breaks a rule), ErrForbidden (another cluster, another node's origin, forgotten), ErrTooLarge, ErrThrottled,
	// ErrUnavailable.
	Merge(ctx context.Context, r PeerRequest) (answer []byte, err error)
}

// PeerSource hands out what this node has. Each writes its answer to w in the request's encoding; the first Write
// decides for status 200, so an error before it becomes a problem, and one after it cuts the connection.
type PeerSource interface {
	Pull(ctx context.Context, r PeerRequest, w io.Writer) error
	// Snapshot streams the state a bootstrapping node needs, from one consistent view.
	Snapshot(ctx context.Context, r PeerRequest, w io.Writer) error
}

// PeerAuditor answers the audit.
type PeerAuditor interface {
	Digest(ctx context.Context, r PeerRequest, w io.Writer) error
	Bucket(ctx context.Context, r PeerRequest, w io.Writer) error
}

// KeyIssuer hands out API keys and takes them back. by is who asks: a tenant's administrator reaches its own tenant's
// keys alone, and nobody makes a key that may do more than their own. All return after the change is on disk.
type KeyIssuer interface {
	// CreateAPIKey makes a key; the answer shows it. Errors: ErrInvalid (the first key must be admin), ErrForbidden,
	// ErrConflict (too many keys).
	CreateAPIKey(ctx context.Context, by *access.Caller, key wire.NewAPIKey) (wire.APIKey, error)
	// RotateAPIKey makes a key like the given one, which ends after grace. Errors: ErrNotFound, ErrForbidden,
	// ErrConflict (it has ended already).
	RotateAPIKey(ctx context.Context, by *access.Caller, id string, grace time.Duration) (wire.APIKey, error)
	// RevokeAPIKey ends a key for good; one that has ended stays so. Errors: ErrNotFound, ErrForbidden, ErrConflict (it
	// is the last admin key).
	RevokeAPIKey(ctx context.Context, by *access.Caller, id string) error
}

// KeyLister lists API keys in order of their ids: those of the caller's tenant, to an admin all.
type KeyLister interface {
	APIKeys(ctx context.Context, by *access.Caller, p Page) (keys []wire.APIKey, more bool, err error)
}

// TenantReader tells about tenants: the caller's own, to a role of the whole cluster all.
type TenantReader interface {
	// Tenant errors: ErrNotFound.
	Tenant(ctx context.Context, by *access.Caller, name string) (wire.Tenant, error)
	ListTenants(ctx context.Context, by *access.Caller, p Page) (tenants []wire.Tenant, more bool, err error)
}

// TenantWriter bounds tenants. Both return after the change is on disk.
type TenantWriter interface {
	PutTenant(ctx context.Context, name string, t wire.NewTenant) (tenant wire.Tenant, created bool, err error)
	// DeleteTenant drops the quotas. Errors: ErrNotFound, ErrConflict (it has live keys).
	DeleteTenant(ctx context.Context, name string) error
}

// PublicBackend is everything the public listener asks for; each handler sees only its own part.
type PublicBackend interface {
	Limiter
	Agents
	AgentAdmin
	PolicyReader
	PolicyWriter
	PoolReader
	PoolWriter
	Feedback
	PriceReader
	PriceWriter
	UsageRecorder
	UsageReader
	KVReader
	KVWriter
	KVBatcher
	Watcher
	ClusterViewer
	ClusterAdmin
	Health
	Backuper
	KeyIssuer
	KeyLister
	TenantReader
	TenantWriter
}

// PeerBackend is everything the peer listener asks for.
type PeerBackend interface {
	PeerMerger
	PeerSource
	PeerAuditor
}
