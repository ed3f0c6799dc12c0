package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/openclaw/clawd/node"
)

// settings is everything `clawd serve` can be told. Flags hold the values,
// whichever of flag, environment and file they come from; see load.
type settings struct {
	configFile string

	name, dataDir, cluster          string
	http, peer, gossip, admin       string
	advHTTP, advPeer, advGossip     string
	join                            []string
	gossipKeyFile, refillModel      string
	insecure, autoRebuild, legacy   bool
	strictAuth, openMetrics         bool
	tlsCert, tlsKey, tlsCA, tlsMode string
	peerSecretFile                  string
	policy                          policyValue
	logLevel, logFormat             string
	flush, pull, audit, drain, wait time.Duration
	topAgents, hotAgents            int
	cache, headroom                 sizeValue
}

// register declares the flags with their defaults, which are node's.
func (s *settings) register(f *pflag.FlagSet) {
	d := node.Options{}.WithDefaults()
	s.policy = policyValue{d.DefaultPolicy}
	s.cache, s.headroom = sizeValue(d.CacheBytes), sizeValue(d.HeapHeadroom)

	f.StringVar(&s.configFile, "config", os.Getenv("CLAWD_CONFIG"), "YAML file with any of these settings, '-' written as '_'")

	f.StringVar(&s.name, "name", "", "name of this node (default: hostname and four digits of the node id)")
	f.StringVar(&s.dataDir, "data-dir", d.DataDir, "directory of the store; one process owns it at a time")
	f.StringVar(&s.cluster, "cluster", d.Cluster, "name of the cluster; nodes of another name are refused")
	f.StringSliceVar(&s.join, "join", nil, "node to join, may be repeated: host:port, dns:name, file:path or aws:tag=KEY:VALUE[,region=NAME]")

	f.StringVar(&s.http, "http-addr", d.HTTPAddr, "where the API listens; port 0 lets the system choose")
	f.StringVar(&s.peer, "peer-addr", d.PeerAddr, "where other nodes send and fetch rows")
	f.StringVar(&s.gossip, "gossip-addr", d.GossipAddr, "where membership gossip listens, TCP and UDP")
	f.StringVar(&s.admin, "admin-addr", d.AdminAddr, "moves metrics and health there and adds pprof (default: on http-addr, no pprof)")
	f.StringVar(&s.advHTTP, "advertise-http", "", "host:port under which others reach http-addr, when it differs")
	f.StringVar(&s.advPeer, "advertise-peer", "", "host:port under which others reach peer-addr, when it differs")
	f.StringVar(&s.advGossip, "advertise-gossip", "", "ip:port under which others reach gossip-addr, when it differs")

	f.StringVar(&s.gossipKeyFile, "gossip-key-file", "", "file with the base64 key (16, 24 or 32 bytes) all nodes gossip with")
	f.StringVar(&s.peerSecretFile, "peer-secret-file", "", "file with the secret (32 bytes or more) that signs the calls between nodes")
	f.StringVar(&s.tlsCert, "tls-cert-file", "", "PEM certificate of http-addr, with its chain; read again when it changes and on SIGHUP")
	f.StringVar(&s.tlsKey, "tls-key-file", "", "PEM private key of the certificate")
	f.StringVar(&s.tlsCA, "tls-client-ca-file", "", "PEM authorities; clients must present a certificate of one")
	f.StringVar(&s.tlsMode, "tls", "", "off: a balancer in front speaks TLS, so that http-addr may be beyond loopback without")
	f.BoolVar(&s.insecure, "insecure", false, "listen beyond loopback although nothing authenticates callers")

	f.BoolVar(&s.strictAuth, "strict-auth", false, "answer 503 while out of contact with most members: a key may have been revoked")
	f.BoolVar(&s.openMetrics, "open-metrics", false, "serve /metrics without an API key, too")

	f.Var(&s.policy, "default-policy", "limit of agents no policy matches: 1000/1h, or capacity=…,refill_rate=…,interval_seconds=…")
	f.BoolVar(&s.legacy, "legacy-headers", false, "add X-RateLimit-* and retry-after-ms to decisions")
	f.IntVar(&s.topAgents, "top-agents", d.TopAgents, "agents named by openclaw_tokens_used_total, the rest is 'other'; 0 turns it off")

	f.StringVar(&s.refillModel, "refill-model", "", "`.tflite` file with a dense network, one more forecaster of pools (default: none)")

	f.DurationVar(&s.flush, "flush-interval", d.FlushInterval, "how often changed rows are made durable and pushed; a crash forgets at most this much")
	f.DurationVar(&s.pull, "pull-interval", d.PullInterval, "how often a random peer is asked for what a push lost")
	f.DurationVar(&s.audit, "audit-interval", d.AuditInterval, "how often digests are compared with a random peer")
	f.DurationVar(&s.drain, "drain-timeout", d.DrainTimeout, "bounds a graceful stop; a second signal stops at once")
	f.DurationVar(&s.wait, "sync-wait", d.SyncWait, "how long to wait for known peers before being ready alone")

	f.IntVar(&s.hotAgents, "hot-agents", d.HotAgents, "buckets kept in memory")
	f.Var(&s.cache, "cache-size", "block cache of the store")
	f.Var(&s.headroom, "heap-headroom", "garbage that may pile up before it is collected; 0 or GOGC: as Go does it")
	f.BoolVar(&s.autoRebuild, "auto-rebuild", false, "move a corrupt store aside and load everything from a peer")

	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&s.logFormat, "log-format", "", "json or text (default: text on a terminal, else json)")
}

// options turns settings into what package node takes. Every complaint is
// collected, so that one run of `config check` shows them all.
func (s *settings) options() (node.Options, error) {
	o := node.Options{
		Name:            s.name,
		DataDir:         s.dataDir,
		HTTPAddr:        s.http,
		PeerAddr:        s.peer,
		GossipAddr:      s.gossip,
		AdminAddr:       s.admin,
		AdvertiseHTTP:   s.advHTTP,
		AdvertisePeer:   s.advPeer,
		AdvertiseGossip: s.advGossip,
		Join:            s.join,
		Cluster:         s.cluster,
		Insecure:        s.insecure,
		StrictAuth:      s.strictAuth,
		TLS:             node.TLSFiles{Cert: s.tlsCert, Key: s.tlsKey, ClientCA: s.tlsCA},
		TLSElsewhere:    s.tlsMode == "off",
		OpenMetrics:     s.openMetrics,
		DefaultPolicy:   s.policy.policy,
		TopAgents:       s.topAgents,
		LegacyHeaders:   s.legacy,
		RefillModel:     s.refillModel,
		FlushInterval:   s.flush,
		PullInterval:    s.pull,
		AuditInterval:   s.audit,
		DrainTimeout:    s.drain,
		SyncWait:        s.wait,
		HotAgents:       s.hotAgents,
		CacheBytes:      int64(s.cache),
		HeapHeadroom:    int64(s.headroom),
		AutoRebuild:     s.autoRebuild,
	}
	if s.topAgents == 0 {
		o.TopAgents = -1 // 0 would mean node's default
	}
	if s.headroom == 0 {
		o.HeapHeadroom = -1
	}
	if o.DefaultPolicy.Name == "" {
		o.DefaultPolicy.Name = node.SeedPolicy().Name
	}
	key, keyErr := readGossipKey(s.gossipKeyFile)
	o.GossipKey = key
	secret, secretErr := readPeerSecret(s.peerSecretFile)
	o.PeerSecret = secret
	_, levelErr := s.level()
	return o, errors.Join(s.zeros(), keyErr, secretErr, s.checkTLS(), levelErr, s.checkFormat(), complaintsOf(o))
}

// zeros refuses what package node would take for "use the default".
func (s *settings) zeros() error {
	var errs []error
	for name, d := range map[string]time.Duration{
		"flush-interval": s.flush, "pull-interval": s.pull, "audit-interval": s.audit,
		"drain-timeout": s.drain, "sync-wait": s.wait,
	} {
		if d == 0 {
			errs = append(errs, fmt.Errorf("%s must not be 0", name))
		}
	}
	for name, empty := range map[string]bool{
		"data-dir": s.dataDir == "", "http-addr": s.http == "", "peer-addr": s.peer == "",
		"gossip-addr": s.gossip == "", "cluster": s.cluster == "", "default-policy": s.policy.String() == "",
		"hot-agents": s.hotAgents == 0, "cache-size": s.cache == 0,
	} {
		if empty {
			errs = append(errs, fmt.Errorf("%s must not be empty", name))
		}
	}
	return sorted(errs)
}

// complaintsOf drops the prefix of package node: the reader ran clawd, not Go.
func complaintsOf(o node.Options) error {
	err := o.Validate()
	if err == nil {
		return nil
	}
	var errs []error
	for _, line := range strings.Split(err.Error(), "\n") {
		errs = append(errs, errors.New(strings.TrimPrefix(line, node.ErrInvalidOptions.Error()+": ")))
	}
	return errors.Join(errs...)
}

// readGossipKey reads a base64 key with or without a newline. Package node
// judges its length.
func readGossipKey(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("gossip key file: %w", pathless(err, path))
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) == 0 {
		return nil, fmt.Errorf("gossip key file %s: want the base64 form of 16, 24 or 32 bytes, as 'openssl rand -base64 32' prints it", path)
	}
	return key, nil
}

// readPeerSecret reads a secret with or without a newline. Package node judges
// its length.
func readPeerSecret(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("peer secret file: %w", pathless(err, path))
	}
	secret := []byte(strings.TrimSpace(string(text)))
	if len(secret) == 0 {
		return nil, fmt.Errorf("peer secret file %s is empty: want 32 bytes or more, as 'openssl rand -base64 32' prints them", path)
	}
	return secret, nil
}

func (s *settings) checkTLS() error {
	switch s.tlsMode {
	case "", "off":
		return nil
	}
	return fmt.Errorf("tls %q: want off, or nothing", s.tlsMode)
}

// pathless says "<path>: no such file or directory" without the system call.
func pathless(err error, path string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", path, pe.Err)
	}
	return err
}

func (s *settings) level() (slog.Level, error) {
	switch strings.ToLower(s.logLevel) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log-level %q: want debug, info, warn or error", s.logLevel)
}

func (s *settings) checkFormat() error {
	switch s.logFormat {
	case "", "json", "text":
		return nil
	}
	return fmt.Errorf("log-format %q: want json or text", s.logFormat)
}
