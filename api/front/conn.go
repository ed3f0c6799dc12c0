package front

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a connection that has sent nothing but hot calls so far.
type conn struct {
	net.Conn
	server  *Server
	idle    atomic.Bool // waiting for a request: may be closed at any time
	armed   time.Time   // when the read deadline was set last
	patient time.Time   // when the write deadline was set last
	urgent  bool        // the deadline is that of a started request
}

// buffers hold what is read and what is written. One is a connection's while
// it has a request under way.
var buffers = sync.Pool{New: func() any { return &buffer{in: make([]byte, 4<<10), out: make([]byte, 0, 4<<10)} }}

type buffer struct {
	in  []byte
	n   int // bytes of in that were read and not yet consumed
	out []byte
}

// maxPooled keeps a few large requests from pinning memory.
const maxPooled = 16 << 10

func (b *buffer) release() {
	if cap(b.in) <= maxPooled && cap(b.out) <= maxPooled {
		b.n, b.out = 0, b.out[:0]
		buffers.Put(b)
	}
}

// wake ends the connection if it is idle. Called with the server's lock held.
func (c *conn) wake() {
	if c.idle.Load() {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// run serves the connection until it ends or belongs to net/http.
func (c *conn) run() {
	b := buffers.Get().(*buffer)
	handed := false
	defer func() {
		if p := recover(); p != nil {
			c.server.recovered(p)
		}
		if !handed {
			_ = c.Conn.Close()
		}
		c.server.end(c)
		b.release()
	}()
	for {
		result := c.answer(b)
		if len(b.out) > 0 && !c.send(b) {
			return
		}
		switch {
		case result == foreign:
			handed = true
			c.leave(b)
			return
		case c.server.draining.Load() && b.n == 0:
			return
		}
		if !c.read(b) {
			return
		}
	}
}

// answer answers the requests in the buffer, as many as are whole.
func (c *conn) answer(b *buffer) parsed {
	var req Request
	start := 0
	for start < b.n {
		size, result := parse(b.in[start:b.n], &req)
		if result == whole {
			closing := c.server.draining.Load()
			out, ok := c.server.opts.Hot.Answer(c.server.ctx, &req, b.out, closing)
			if !ok {
				result = foreign
			} else {
				b.out = out
				start += size
				continue
			}
		}
		b.consume(start)
		return result
	}
	b.n = 0
	return partial
}

func (b *buffer) consume(n int) {
	copy(b.in, b.in[n:b.n])
	b.n -= n
}

func (c *conn) send(b *buffer) bool {
	if now := c.server.opts.Now(); now.Sub(c.patient) > c.server.opts.WriteTimeout/4 {
		c.patient = now
		_ = c.SetWriteDeadline(now.Add(c.server.opts.WriteTimeout))
	}
	_, err := c.Conn.Write(b.out)
	b.out = b.out[:0]
	return err == nil
}

// read waits for more of the request that has begun, or for the next one.
func (c *conn) read(b *buffer) bool {
	if b.n == len(b.in) {
		b.in = append(b.in, make([]byte, len(b.in))...)
	}
	c.arm(b.n > 0)
	c.idle.Store(b.n == 0)
	if c.server.draining.Load() && b.n == 0 {
		return false // Close has looked for idle connections already
	}
	n, err := c.Conn.Read(b.in[b.n:])
	c.idle.Store(false)
	b.n += n
	return err == nil || n > 0
}

// arm sets the read deadline: a fixed one for a request that has begun, so
// that trickling bytes do not extend it, and a coarse one for an idle
// connection, since setting it for each request costs more than it is worth.
func (c *conn) arm(begun bool) {
	if begun && c.urgent {
		return
	}
	now := c.server.opts.Now()
	if begun {
		c.urgent = true
		c.armed = time.Time{}
		_ = c.SetReadDeadline(now.Add(c.server.opts.HeadTimeout))
		return
	}
	if c.urgent || now.Sub(c.armed) > c.server.opts.IdleTimeout/4 {
		c.urgent, c.armed = false, now
		_ = c.SetReadDeadline(now.Add(c.server.opts.IdleTimeout))
	}
}

// leave hands the connection to net/http.
func (c *conn) leave(b *buffer) {
	_ = c.SetDeadline(time.Time{})
	rest := make([]byte, b.n)
	copy(rest, b.in[:b.n])
	c.server.handOver(&replayed{Conn: c.Conn, rest: rest})
}

// replayed is a connection of which some bytes were read already.
type replayed struct {
	net.Conn
	rest []byte
}

// Read gives the bytes read before, then those of the connection.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.rest)
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.rest = nil
	}
	return n, nil
}
