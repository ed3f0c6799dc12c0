package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api"
)

// Patience with clients. Bodies have no bound of their own here, since a
// handler may stream for long; see slowBodies.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
)

// server is one listener and what is served on it.
type server struct {
	http  *http.Server
	fresh sync.Map      // net.Conn: connections without a request so far
	done  chan struct{} // closed when serving has ended
	err   error         // why; read it after done
}

// serve answers calls on l with h until stop. failed is told when serving ends
// for any other reason. encrypted says that l speaks TLS.
func serve(l net.Listener, h http.Handler, encrypted bool, log *slog.Logger, failed func(error)) *server {
	s := &server{done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           slowBodies(h),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:         s.follow,
	}
	// TLS connections come decrypted, so that net/http takes HTTP/2 over them for
	// HTTP/2 without TLS. Without TLS there is none.
	s.http.Protocols = new(http.Protocols)
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetUnencryptedHTTP2(encrypted)
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
			failed(fmt.Errorf("serve %s: %w", l.Addr(), err))
		}
	}()
	return s
}

// follow remembers the connections that have sent nothing yet. Clients dial
// ahead of need, and Shutdown would wait 5 s for each to show what it wants.
func (s *server) follow(c net.Conn, state http.ConnState) {
	if state == http.StateNew {
		s.fresh.Store(c, nil)
		return
	}
	s.fresh.Delete(c)
}

// stop lets the calls under way finish, as long as ctx lasts, and then cuts
// them.
func (s *server) stop(ctx context.Context) error {
	s.http.SetKeepAlivesEnabled(false)
	s.fresh.Range(func(c, _ any) bool {
		_ = c.(net.Conn).Close()
		return true
	})
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.done
	return errors.Join(err, s.err)
}

// slowBodies gives a request's body a time to arrive in. Without it a client
// that sends half of one keeps its connection and its handler for ever.
func slowBodies(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// Best effort: a writer that cannot is a test's.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
		}
		h.ServeHTTP(w, r)
	})
}

// profiling adds pprof to the admin listener's routes, for those who may
// operate the node.
func (n *Node) profiling(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/debug/") {
			h.ServeHTTP(w, r)
			return
		}
		if err := api.Admits(n.guard, r, access.Operate, n.options.Now()); err != nil {
			api.Refuse(w, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
