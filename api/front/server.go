package front

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Hot answers the hot calls.
type Hot interface {
	// Answer appends a whole HTTP answer to out. With false it has done nothing
	// and the request takes the general path; out is then ignored. close asks
	// for an answer that says that the connection ends.
	Answer(ctx context.Context, req *Request, out []byte, close bool) (answer []byte, ok bool)
}

// Options configures a Server. Hot is required.
type Options struct {
	Hot Hot
	// HeadTimeout is how long a started request may take to arrive. Default 10 s.
	HeadTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request.
	// Default 2 min. It is kept to within a quarter.
	IdleTimeout time.Duration
	// WriteTimeout is how long a client may take to accept an answer. Default 10 s.
	WriteTimeout time.Duration
	Logger       *slog.Logger
	Now          func() time.Time
}

// Server accepts connections, answers hot calls, and hands the rest on: it is
// a net.Listener whose Accept returns the connections that need net/http.
type Server struct {
	opts    Options
	inner   net.Listener
	general chan net.Conn
	ctx     context.Context
	cancel  context.CancelFunc

	mu       sync.Mutex
	conns    map[*conn]struct{}
	stopped  bool
	draining atomic.Bool
	wg       sync.WaitGroup
	acceptor chan struct{} // closed when no more connections come
	failure  error
}

var _ net.Listener = (*Server)(nil)

// Listen wraps l. Serve the returned listener with an http.Server.
func Listen(l net.Listener, o Options) *Server {
	setDefault(&o.HeadTimeout, 10*time.Second)
	setDefault(&o.IdleTimeout, 2*time.Minute)
	setDefault(&o.WriteTimeout, 10*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{opts: o, inner: l, general: make(chan net.Conn), conns: make(map[*conn]struct{}), acceptor: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Add(1)
	go s.accept()
	return s
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Accept returns the next connection for the general path.
func (s *Server) Accept() (net.Conn, error) {
	select {
	case c := <-s.general:
		return c, nil
	case <-s.acceptor:
		return nil, s.failure
	}
}

// Addr is the address of the wrapped listener.
func (s *Server) Addr() net.Addr { return s.inner.Addr() }

// Close stops accepting, and lets the connections held here end: idle ones at
// once, the others with the answer to their present request. It does not wait;
// see Wait.
func (s *Server) Close() error {
	s.mu.Lock()
	first := !s.stopped
	s.stopped = true
	s.draining.Store(true)
	for c := range s.conns {
		c.wake()
	}
	s.mu.Unlock()
	if !first {
		return nil
	}
	return s.inner.Close()
}

// Wait returns when all connections held here have ended, or cuts them when
// ctx does.
func (s *Server) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		s.cancel()
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Conn.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}

func (s *Server) accept() {
	defer s.wg.Done()
	defer close(s.acceptor)
	var delay time.Duration
	for {
		c, err := s.inner.Accept()
		if err == nil {
			delay = 0
			s.start(c)
			continue
		}
		var passing interface{ Temporary() bool }
		if s.draining.Load() || !errors.As(err, &passing) || !passing.Temporary() {
			s.failure = err
			return
		}
		// Out of file descriptors and the like: as net/http does, wait a little
		// longer each time.
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		s.opts.Logger.Warn("accept failed, trying again", "error", err, "in", delay)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
		}
	}
}

func (s *Server) start(nc net.Conn) {
	c := &conn{Conn: nc, server: s, local: isLoopback(nc.RemoteAddr())}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	go c.run()
}

func isLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

func (s *Server) end(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.wg.Done()
}

// handOver gives a connection to net/http, with what was read of it.
func (s *Server) handOver(c net.Conn) {
	select {
	case s.general <- c:
	case <-s.acceptor:
		_ = c.Close()
	case <-s.ctx.Done():
		_ = c.Close()
	}
}

func (s *Server) recovered(p any) {
	s.opts.Logger.Error("connection handler panicked", "panic", p, "stack", string(debug.Stack()))
}
