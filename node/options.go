package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openclaw/clawd/node/discovery"
	"github.com/openclaw/clawd/ratelimit"
)

// The defaults a newcomer meets. A zero field of Options means the constant of
// its name.
const (
	DefaultDataDir       = "./clawd-data"
	DefaultHTTPAddr      = "127.0.0.1:8080"
	DefaultPeerAddr      = "127.0.0.1:8081"
	DefaultGossipAddr    = "127.0.0.1:7946"
	DefaultCluster       = "clawd"
	DefaultTopAgents     = 50
	DefaultFlushInterval = 100 * time.Millisecond
	DefaultPullInterval  = 2 * time.Second
	DefaultAuditInterval = time.Hour
	DefaultDrainTimeout  = 10 * time.Second
	DefaultSyncWait      = 5 * time.Second
	DefaultHotAgents     = 1_000_000
	DefaultCacheBytes    = 32 << 20
	DefaultHeapHeadroom  = 48 << 20
)

// ErrInvalidOptions is wrapped by everything Options.Validate complains about.
var ErrInvalidOptions = errors.New("node: invalid options")

// Options configures one node. The zero value is a single node on loopback
// with its data in ./clawd-data; a zero field means the default stated with it.
type Options struct {
	// Name is what operators call this node; unique in the cluster. Letters,
	// digits, '-' and '.', at most 128 bytes. Default: the hostname, a dash and
	// four hex digits of the node id.
	Name string

	// DataDir holds the store, the identity and the gossip snapshot. One process
	// owns it at a time. Default ./clawd-data, created when missing.
	DataDir string

	// HTTPAddr is the public listener (host:port): API, health, metrics.
	// Port 0 lets the system choose. Default 127.0.0.1:8080.
	HTTPAddr string
	// PeerAddr is the listener for the other nodes. Default 127.0.0.1:8081.
	PeerAddr string
	// GossipAddr is the membership listener, TCP and UDP on the same port; the
	// host must be an IP address. Default 127.0.0.1:7946.
	GossipAddr string

	// AdvertiseHTTP, AdvertisePeer and AdvertiseGossip are the host:port others
	// use when they differ from the listener (NAT, containers, 0.0.0.0).
	// AdvertiseGossip needs an IP address. A missing port means the listener's.
	// Default: the listener's own address; for an unspecified host (0.0.0.0, ::)
	// the first private address of the machine.
	AdvertiseHTTP   string
	AdvertisePeer   string
	AdvertiseGossip string

	// Join says where nodes to join are: host or host:port (port 7946),
	// dns:name, file:path or aws:tag=KEY:VALUE, see package discovery. Joining is
	// retried until one answers; nodes known from an earlier run are tried as
	// well. Names, files and tags are looked up again while this node is alone,
	// and now and then when it is not. Default none: a cluster of one.
	Join []string

	// Cluster names the cluster. Nodes and pages of another name are refused,
	// and a data directory belongs to one name for ever. Default "clawd".
	Cluster string

	// GossipKey encrypts and authenticates gossip: 16, 24 or 32 bytes. Default
	// none, which only loopback (or Insecure) allows.
	GossipKey []byte

	// Insecure permits listeners beyond loopback although nothing authenticates
	// their callers. Default false.
	Insecure bool

	// TLS makes HTTPAddr and AdminAddr speak TLS 1.2 or later, HTTP/1.1 and
	// HTTP/2. The files are read again when they change. Default: plain HTTP.
	TLS TLSFiles
	// TLSElsewhere says that a balancer in front of this node speaks TLS, so
	// that HTTPAddr may be beyond loopback without. Default false.
	TLSElsewhere bool
	// PeerSecret signs the calls between nodes (HMAC-SHA-256, with protection
	// against replay); all nodes have the same. At least 32 bytes. Default
	// none, which only loopback (or Insecure) allows.
	PeerSecret []byte

	// StrictAuth refuses requests with 503 while this node is out of contact with
	// the majority of the members, since it may then not know of a revoked key.
	// Default false: it goes on with the keys it knows.
	StrictAuth bool
	// OpenMetrics serves /metrics without a key although keys exist. Default
	// false: a key of role metrics (or admin, operator) is needed.
	OpenMetrics bool

	// DefaultPolicy limits agents that no stored policy matches. It must be the
	// same on all nodes. Default: 1000 tokens, refilled with 1000 per 3600 s.
	DefaultPolicy ratelimit.Policy

	// AdminAddr moves metrics and health to a listener of their own, and adds
	// pprof there. Default none: metrics and health are on HTTPAddr, no pprof.
	AdminAddr string

	// TopAgents is how many agents openclaw_tokens_used_total names; the rest
	// are summed as "other". Default 50; negative: the metric is off.
	TopAgents int

	// RefillModel is a .tflite file with a dense network that is one more
	// forecaster of pools; one that cannot be used is an error at the start, one
	// that is bad loses its say. Default none.
	RefillModel string

	// LegacyHeaders adds X-RateLimit-* and retry-after-ms to decisions, for
	// clients that know only those. Default false.
	LegacyHeaders bool

	// FlushInterval is how often changed rows are made durable by one fsync and
	// pushed to the peers. A crash forgets at most this much `async`
	// consumption; staleness, hence overshoot, grows with it. Default 100 ms.
	FlushInterval time.Duration
	// PullInterval is how often one random peer is asked for what a push lost.
	// A lost push is repaired after about PullInterval × peers. Default 2 s.
	PullInterval time.Duration
	// AuditInterval is how often digests are compared with one random peer, to
	// find what should be impossible. Default 1 h.
	AuditInterval time.Duration
	// DrainTimeout bounds the whole of a graceful stop: open requests, last
	// flush, last push, leave. Default 10 s.
	DrainTimeout time.Duration
	// SyncWait is how long a node that has been told of peers, or that knows
	// some, waits for them before it reports ready on its own. Default 5 s.
	SyncWait time.Duration

	// HotAgents is how many buckets are kept in memory, about 200 B each; colder
	// ones are read from the store. Default 1 000 000.
	HotAgents int
	// CacheBytes is the size of the store's block cache. Default 32 MiB.
	CacheBytes int64
	// HeapHeadroom is how much garbage may pile up before it is collected, in
	// bytes. It sets the collector of the whole process, so it is for a process
	// that is a node and little else: negative leaves it to Go's own rule, as much
	// as lives, and so does an environment with GOGC. Default 48 MiB.
	HeapHeadroom int64

	// AutoRebuild lets a node whose store is corrupt move it aside, take a new
	// identity and load everything from a peer. Without Join it refuses, as
	// nobody has a copy. Default false: one sentence and an error.
	AutoRebuild bool

	// Version is the build shown to operators and other members. Default none.
	Version string

	// Logger receives everything the node says. Default: silent.
	Logger *slog.Logger
	// Registry receives the node's metrics and is what /metrics shows.
	// Default: a registry of its own.
	Registry *prometheus.Registry
	// Now is the node's only clock. It should carry a monotonic reading, as
	// time.Now does; intervals are measured with it. Default time.Now.
	Now func() time.Time
	// Network is how sockets are opened. Default: the operating system's.
	Network Network

	tuning tuning
}

// WithDefaults returns o with each zero field replaced by its default. Name
// stays empty, since its default needs the node id.
func (o Options) WithDefaults() Options {
	orDefault(&o.DataDir, DefaultDataDir)
	orDefault(&o.HTTPAddr, DefaultHTTPAddr)
	orDefault(&o.PeerAddr, DefaultPeerAddr)
	orDefault(&o.GossipAddr, DefaultGossipAddr)
	orDefault(&o.Cluster, DefaultCluster)
	orDefault(&o.TopAgents, DefaultTopAgents)
	orDefault(&o.FlushInterval, DefaultFlushInterval)
	orDefault(&o.PullInterval, DefaultPullInterval)
	orDefault(&o.AuditInterval, DefaultAuditInterval)
	orDefault(&o.DrainTimeout, DefaultDrainTimeout)
	orDefault(&o.SyncWait, DefaultSyncWait)
	orDefault(&o.HotAgents, DefaultHotAgents)
	orDefault(&o.CacheBytes, DefaultCacheBytes)
	orDefault(&o.HeapHeadroom, DefaultHeapHeadroom)
	orDefault(&o.DefaultPolicy, SeedPolicy())
	orDefault(&o.Network, Network(systemNetwork{}))
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.tuning = o.tuning.withDefaults()
	return o
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// SeedPolicy is the default of Options.DefaultPolicy: 1000 tokens per hour.
func SeedPolicy() ratelimit.Policy {
	return ratelimit.Policy{
		Name:            "default",
		Capacity:        1000,
		RefillRate:      ratelimit.Whole(1000),
		IntervalSeconds: ratelimit.Whole(3600),
	}
}

// Validate reports everything that is wrong with o after its defaults are
// filled in, one line a complaint; each wraps ErrInvalidOptions. It touches
// neither files nor sockets.
func (o Options) Validate() error {
	o = o.WithDefaults()
	var c complaints
	c.name("name", o.Name, true)
	c.name("cluster", o.Cluster, false)
	encrypted := o.Insecure || o.TLS.used() || o.TLSElsewhere
	c.listener("http address", o.HTTPAddr, encrypted)
	c.listener("peer address", o.PeerAddr, o.Insecure || len(o.PeerSecret) > 0)
	if o.TLS.used() && (o.TLS.Cert == "" || o.TLS.Key == "") || o.TLS.ClientCA != "" && !o.TLS.used() {
		c.add("tls needs a certificate and its key; a client authority needs both")
	}
	if n := len(o.PeerSecret); n > 0 && n < 32 {
		c.add("peer secret has %d bytes, want at least 32", n)
	}
	c.listener("gossip address", o.GossipAddr, o.Insecure || len(o.GossipKey) > 0)
	if o.AdminAddr != "" {
		c.listener("admin address", o.AdminAddr, encrypted)
	}
	c.ipLiteral("gossip address", o.GossipAddr)
	c.advertised("advertised http address", o.AdvertiseHTTP, false)
	c.advertised("advertised peer address", o.AdvertisePeer, false)
	c.advertised("advertised gossip address", o.AdvertiseGossip, true)
	if _, err := discovery.Parse(o.Join, discovery.Environment{}); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			c.add("%s", line)
		}
	}
	switch len(o.GossipKey) {
	case 0, 16, 24, 32:
	default:
		c.add("gossip key has %d bytes, want 16, 24 or 32", len(o.GossipKey))
	}
	if err := o.DefaultPolicy.Validate(); err != nil {
		c.add("default policy: %w", err)
	}
	c.between("flush interval", o.FlushInterval, time.Millisecond, 10*time.Second)
	c.between("pull interval", o.PullInterval, 10*time.Millisecond, 10*time.Minute)
	c.between("audit interval", o.AuditInterval, time.Second, 30*24*time.Hour)
	c.between("drain timeout", o.DrainTimeout, 10*time.Millisecond, 10*time.Minute)
	c.between("sync wait", o.SyncWait, time.Millisecond, time.Hour)
	if o.HotAgents < 1 {
		c.add("hot agents is %d, want at least 1", o.HotAgents)
	}
	if o.CacheBytes < 1<<20 {
		c.add("cache is %d bytes, want at least 1 MiB", o.CacheBytes)
	}
	if o.TopAgents > 1000 {
		c.add("top agents is %d, want at most 1000: each is a time series", o.TopAgents)
	}
	return errors.Join(c...)
}

// complaints collects what Validate finds.
type complaints []error

func (c *complaints) add(format string, args ...any) {
	*c = append(*c, fmt.Errorf("%w: %w", ErrInvalidOptions, fmt.Errorf(format, args...)))
}

// nodeName is what Serf accepts with ValidateNodeNames.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9\-.]{1,128}$`)

func (c *complaints) name(what, name string, optional bool) {
	if name == "" && optional {
		return
	}
	if !nodeName.MatchString(name) {
		c.add("%s %q: want 1 to 128 letters, digits, '-' or '.'", what, name)
	}
}

func (c *complaints) listener(what, addr string, exposed bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		c.add("%s %q: want host:port", what, addr)
		return
	}
	c.port(what, addr, port)
	if !exposed && !isLoopback(host) {
		c.add("%s %q listens beyond loopback and nothing authenticates its callers; "+
			"use a loopback address or say insecure", what, addr)
	}
}

func (c *complaints) port(what, addr, port string) {
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		c.add("%s %q: the port is not a number between 0 and 65535", what, addr)
	}
}

func (c *complaints) ipLiteral(what, addr string) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return // said by listener
	}
	if _, err := netip.ParseAddr(host); err != nil {
		c.add("%s %q: the host must be an IP address", what, addr)
	}
}

// maxAddress bounds an advertised address, as it travels in a gossip tag.
const maxAddress = 128

func (c *complaints) advertised(what, addr string, ip bool) {
	if addr == "" {
		return
	}
	host, port, err := splitHostPort(addr)
	switch {
	case err != nil || host == "":
		c.add("%s %q: want host or host:port", what, addr)
		return
	case len(addr) > maxAddress:
		c.add("%s: %d bytes, want at most %d", what, len(addr), maxAddress)
	case port != "":
		c.port(what, addr, port)
	}
	if ip {
		if _, err := netip.ParseAddr(host); err != nil {
			c.add("%s %q: the host must be an IP address", what, addr)
		}
	}
}

func (c *complaints) between(what string, d, low, high time.Duration) {
	if d < low || d > high {
		c.add("%s is %v, want %v to %v", what, d, low, high)
	}
}

// splitHostPort is net.SplitHostPort with an optional port.
func splitHostPort(addr string) (host, port string, err error) {
	if ip, err := netip.ParseAddr(addr); err == nil {
		return ip.String(), "", nil
	}
	if host, port, err = net.SplitHostPort(addr); err == nil {
		return host, port, nil
	}
	host, _, err2 := net.SplitHostPort(addr + ":0")
	if err2 != nil {
		return "", "", err
	}
	return host, "", nil
}

// isLoopback tells whether a listener on host is out of reach for other
// machines. A name other than localhost may resolve to anything.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
