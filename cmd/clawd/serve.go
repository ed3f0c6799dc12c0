package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/openclaw/clawd/internal/buildinfo"
	"github.com/openclaw/clawd/node"
)

// errStoppedNow is the end that was asked for twice.
var errStoppedNow = errors.New("stopped at once: a second signal came while draining; the last flush interval may be lost")

func (c *cli) serveCommand() *cobra.Command {
	cfg := &config{}
	cmd := c.counting(&cobra.Command{
		Use:   "serve",
		Short: "Run a node",
		Long: `Run a node until SIGTERM or SIGINT, then drain it: finish open requests, flush,
push, leave the cluster. A second signal stops at once.

Every flag can be set by a CLAWD_… variable (CLAWD_DATA_DIR) or in the YAML file
of --config (data_dir); a flag wins over the environment, which wins over the
file. 'clawd config check' shows the outcome without starting anything.`,
		Example: `  clawd serve
  clawd serve --name b --data-dir ./b --http-addr 127.0.0.1:8090 \
    --peer-addr 127.0.0.1:8091 --gossip-addr 127.0.0.1:7947 --join 127.0.0.1:7946`,
		RunE: func(*cobra.Command, []string) error { return c.serve(cfg) },
	})
	cfg.declare(cmd.Flags())
	return cmd
}

// declare registers the settings as flags of f.
func (c *config) declare(f *pflag.FlagSet) {
	c.flags = f
	c.settings.register(f)
}

// options loads all layers and returns what they amount to.
func (c *config) options() (node.Options, error) {
	loadErr := c.load()
	o, err := c.settings.options()
	return o, errors.Join(loadErr, err)
}

// serve runs the node and waits for it, but not past a second signal.
func (c *cli) serve(cfg *config) error {
	o, err := cfg.options()
	if err != nil {
		return usageError{err}
	}
	c.dataDir = o.DataDir
	o.Logger = newLogger(c.stderr, &cfg.settings)
	o.Version = buildinfo.Get().Version

	ctx, now, stop := stopSignals()
	defer stop()
	done := make(chan error, 1)
	go func() { done <- runNode(ctx, o) }()
	select {
	case err := <-done:
		return err
	case <-now:
		// The process ends with us, and runNode with it: that is what was asked.
		return errStoppedNow
	}
}

// runNode is node.Run with one line for the operator in between, and a few for
// the supervisor of the process.
func runNode(ctx context.Context, o node.Options) error {
	n, err := node.Open(ctx, o)
	if err != nil {
		return err
	}
	announce(o, n)
	systemd := newSupervisor(os.Getenv)
	defer systemd.follow(n, answers(orElse(n.AdminAddr(), n.HTTPAddr()), o.TLS.Cert != "", systemd.every))()
	defer onHangup(o.Logger, n)()
	<-n.Done()
	return n.Close(context.WithoutCancel(ctx))
}

// onHangup has the node read its files again on SIGHUP, until stop.
func onHangup(log *slog.Logger, n *node.Node) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			if err := n.Reload(); err != nil {
				log.Error("a file was not read again; what was read before stays in use", "error", err)
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}

func scheme(o node.Options) string {
	if o.TLS.Cert != "" {
		return "https://"
	}
	return "http://"
}

// announce tells all a newcomer needs, in one line.
func announce(o node.Options, n *node.Node) {
	policy := policyValue{o.DefaultPolicy}
	attrs := []any{
		"name", n.Name(),
		"cluster", o.Cluster,
		"http", n.HTTPAddr(),
		"peer", n.PeerAddr(),
		"gossip", n.GossipAddr(),
		"data_dir", o.DataDir,
		"default_policy", policy.String(),
		"version", buildinfo.Get().Version,
		"try", "curl -X POST " + scheme(o) + n.HTTPAddr() + "/v1/agents/demo/consume",
	}
	if admin := n.AdminAddr(); admin != "" {
		attrs = append(attrs, "admin", admin)
	}
	o.Logger.Info("serving", attrs...)
}

// sameSignal is how long a repeated signal counts as the first one: timeout(1),
// make and some supervisors signal the process and then its group as well.
const sameSignal = 500 * time.Millisecond

// stopSignals returns a context that ends with the first SIGTERM or SIGINT and
// a channel that is closed with the second.
func stopSignals() (ctx context.Context, now <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	twice := make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		first := time.Now()
		cancel()
		for range signals {
			if time.Since(first) >= sameSignal {
				close(twice)
				return
			}
		}
	}()
	return ctx, twice, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// newLogger writes text for a person and JSON for a collector, unless told.
func newLogger(w io.Writer, s *settings) *slog.Logger {
	level, _ := s.level() // validated by options
	o := &slog.HandlerOptions{Level: level}
	if s.logFormat == "text" || (s.logFormat == "" && isTerminal(w)) {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}
