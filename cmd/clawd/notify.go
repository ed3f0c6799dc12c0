package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// startPatience is how long systemd is kept waiting for a node that answers but
// is not ready, as one whose peers are away. Then it counts as started: what
// waits for it is better off with a node that answers what it can.
const startPatience = time.Minute

// supervisor tells systemd (or whoever set NOTIFY_SOCKET) how the process is,
// by the datagrams of sd_notify(3). Without a socket it is silent.
type supervisor struct {
	conn  net.Conn
	every time.Duration // between signs of life; 0: nobody watches
}

// newSupervisor reads what systemd says in the environment. A socket that
// cannot be reached is none: supervision must not keep a node from serving.
func newSupervisor(getenv func(string) string) *supervisor {
	s := &supervisor{}
	socket := getenv("NOTIFY_SOCKET") // a leading @ is an abstract name, for Go as for systemd
	if socket == "" {
		return s
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return s
	}
	s.conn = conn
	if pid := getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		usec, _ := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
		s.every = time.Duration(usec) * time.Microsecond / 3
	}
	return s
}

// tell sends one message; each line is NAME=value.
func (s *supervisor) tell(message string) {
	if s.conn != nil {
		_, _ = s.conn.Write([]byte(message))
	}
}

// supervised is what follow wants of a node.
type supervised interface {
	Ready() <-chan struct{}
	Done() <-chan struct{}
}

// follow reports a node that has been opened until the returned function is
// called, which waits until nothing more is sent.
func (s *supervisor) follow(n supervised, alive func(context.Context) bool) (stop func()) {
	if s.conn == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	patience := time.NewTimer(startPatience)
	var beat <-chan time.Time
	var wg sync.WaitGroup
	if s.every > 0 {
		ticker := time.NewTicker(s.every)
		beat = ticker.C
		wg.Go(func() { <-ctx.Done(); ticker.Stop() })
	}
	wg.Go(func() { s.start(ctx, n, patience.C) })
	wg.Go(func() { s.watch(ctx, beat, alive) })
	return func() {
		cancel()
		patience.Stop()
		wg.Wait()
		_ = s.conn.Close()
	}
}

// start says when the node is ready, or has had enough time, and when it goes.
func (s *supervisor) start(ctx context.Context, n supervised, enough <-chan time.Time) {
	s.tell("STATUS=joining")
	ready, done := n.Ready(), n.Done()
	for ready != nil || done != nil {
		select {
		case <-ready:
			s.tell("READY=1\nSTATUS=ready")
			ready, enough = nil, nil
		case <-enough:
			s.tell("READY=1\nSTATUS=answering, not ready: see /readyz?verbose")
			enough = nil
		case <-done:
			s.tell("STOPPING=1\nSTATUS=draining")
			return
		case <-ctx.Done():
			return
		}
	}
}

// watch sends a sign of life at each beat as long as there is one.
func (s *supervisor) watch(ctx context.Context, beat <-chan time.Time, alive func(context.Context) bool) {
	for {
		select {
		case <-beat:
			if alive(ctx) {
				s.tell("WATCHDOG=1")
			}
		case <-ctx.Done():
			return
		}
	}
}

// answers returns a check of whether a listener answers at all: a process whose
// goroutines no longer run does not. Which answer it gives is not the
// watchdog's business, so that a listener that wants TLS or a key passes too.
func answers(addr string, encrypted bool, within time.Duration) func(context.Context) bool {
	scheme := "http://"
	if encrypted {
		scheme = "https://"
	}
	client := &http.Client{
		// The node asks itself whether it lives; the certificate is for others, and need not name this address.
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // see above
		Timeout:   within,
	}
	return func(ctx context.Context) bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+addr+"/livez", http.NoBody)
		if err != nil {
			return false
		}
		resp, err := client.Do(req)
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil
	}
}
