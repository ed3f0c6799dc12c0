package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// systemd is the socket that systemd listens on.
type systemd struct {
	t    *testing.T
	conn *net.UnixConn
	path string
}

func newSystemd(t *testing.T) *systemd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &systemd{t: t, conn: conn, path: path}
}

func (s *systemd) hears() string {
	s.t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	b := make([]byte, 1024)
	n, err := s.conn.Read(b)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b[:n])
}

func (s *systemd) env(more ...string) func(string) string {
	return func(name string) string {
		for _, pair := range append(more, "NOTIFY_SOCKET="+s.path) {
			if key, value, _ := strings.Cut(pair, "="); key == name {
				return value
			}
		}
		return ""
	}
}

// life is a node as the supervisor sees it.
type life struct{ ready, done chan struct{} }

func newLife() life { return life{make(chan struct{}), make(chan struct{})} }

func (l life) Ready() <-chan struct{} { return l.ready }
func (l life) Done() <-chan struct{}  { return l.done }

func dead(context.Context) bool { return false }

func TestSystemdHearsOfReadyAndOfTheEnd(t *testing.T) {
	sd, node := newSystemd(t), newLife()
	stop := newSupervisor(sd.env()).follow(node, dead)
	defer stop()
	if got := sd.hears(); got != "STATUS=joining" {
		t.Errorf("first heard %q", got)
	}
	close(node.ready)
	if got := sd.hears(); got != "READY=1\nSTATUS=ready" {
		t.Errorf("when ready heard %q", got)
	}
	close(node.done)
	if got := sd.hears(); got != "STOPPING=1\nSTATUS=draining" {
		t.Errorf("at the end heard %q", got)
	}
}

// TestANodeWithoutItsPeersCountsAsStarted, since it answers; and it may still
// become ready.
func TestANodeWithoutItsPeersCountsAsStarted(t *testing.T) {
	sd, node := newSystemd(t), newLife()
	enough := make(chan time.Time, 1)
	s := newSupervisor(sd.env())
	go s.start(t.Context(), node, enough)
	sd.hears()
	enough <- time.Time{}
	if got := sd.hears(); !strings.HasPrefix(got, "READY=1\nSTATUS=answering, not ready") {
		t.Errorf("heard %q", got)
	}
	close(node.ready)
	if got := sd.hears(); got != "READY=1\nSTATUS=ready" {
		t.Errorf("then heard %q", got)
	}
	close(node.done)
	sd.hears()
}

// TestOnlyTheLivingFeedTheWatchdog: of three beats, one finds the node dead.
func TestOnlyTheLivingFeedTheWatchdog(t *testing.T) {
	sd := newSystemd(t)
	s := newSupervisor(sd.env())
	beat, answered := make(chan time.Time), make(chan bool)
	go s.watch(t.Context(), beat, func(context.Context) bool { return <-answered })
	beat <- time.Time{}
	answered <- false
	beat <- time.Time{}
	answered <- true
	if got := sd.hears(); got != "WATCHDOG=1" {
		t.Errorf("heard %q", got)
	}
	beat <- time.Time{} // the loop is back, so nothing else was sent for the first
	s.tell("LAST=1")
	if got := sd.hears(); got != "LAST=1" {
		t.Errorf("a dead node fed the watchdog: %q", got)
	}
	answered <- false
}

func TestWatchdogIntervalIsForThisProcess(t *testing.T) {
	sd := newSystemd(t)
	self := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		env  []string
		want time.Duration
	}{
		{nil, 0},
		{[]string{"WATCHDOG_USEC=30000000"}, 10 * time.Second},
		{[]string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=" + self}, 10 * time.Second},
		{[]string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=1"}, 0},
		{[]string{"WATCHDOG_USEC=soon"}, 0},
	} {
		if got := newSupervisor(sd.env(c.env...)).every; got != c.want {
			t.Errorf("%v: every %v, want %v", c.env, got, c.want)
		}
	}
}

func TestNobodySupervises(t *testing.T) {
	for _, socket := range []string{"", filepath.Join(t.TempDir(), "nobody")} {
		s := newSupervisor(func(name string) string {
			if name == "NOTIFY_SOCKET" {
				return socket
			}
			return ""
		})
		s.tell("READY=1")
		s.follow(newLife(), dead)()
	}
}

// TestAnyAnswerIsLife: a listener that wants TLS, or refuses, is alive.
func TestAnyAnswerIsLife(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	plain, tls := httptest.NewServer(refuse), httptest.NewTLSServer(refuse)
	defer plain.Close()
	defer tls.Close()
	for _, s := range []*httptest.Server{plain, tls} {
		if !answers(s.Listener.Addr().String(), false, 10*time.Second)(t.Context()) {
			t.Errorf("%s: no answer", s.URL)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, and nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if answers(silent.Addr().String(), false, 50*time.Millisecond)(t.Context()) {
		t.Error("a process that does not run counts as alive")
	}
}
