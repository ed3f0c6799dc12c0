package front

import (
	"net"
	"sync/atomic"
	"time"
)

// conn is a connection that has sent nothing but hot calls so far.
type conn struct {
	net.Conn
	server  *Server
	b       *buffer
	req     Request
	idle    atomic.Bool // waiting for a request: may be closed at any time
	now     time.Time   // the last look at the clock
	armed   time.Time   // when the read deadline was set last
	patient time.Time   // when the write deadline was set last
	local   bool        // the client is on this machine
	urgent  bool        // the deadline is that of a started request
}

// outcome is how the connection goes on.
type outcome int

const (
	further outcome = iota // with its next bytes
	over                   // not at all
	general                // as one of net/http's
)

// wake ends the connection if it is idle. Called with the server's lock held.
func (c *conn) wake() {
	if c.idle.Load() {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// run serves the connection until it ends or belongs to net/http.
func (c *conn) run() {
	c.b = newBuffer(0)
	handed := false
	defer func() {
		if p := recover(); p != nil {
			c.server.recovered(p)
		}
		if !handed {
			_ = c.Conn.Close()
		}
		c.server.end(c)
		c.b.release()
	}()
	c.now = c.server.opts.Now()
	c.req.Local = c.local
	if c.serve() == general {
		handed = true
		c.leave()
	}
}

// servePlain reads and writes through net.Conn.
func (c *conn) servePlain() outcome {
	for {
		if !c.await() {
			return over
		}
		n, err := c.Conn.Read(c.space())
		if !c.arrived(n) {
			return over // whatever err is
		}
		result := c.answer()
		if len(c.b.out) > 0 && !c.send() {
			return over
		}
		if result != further {
			return result
		}
		if err != nil {
			return over
		}
	}
}

// await prepares to wait for the rest of the request that has begun, or for the
// next one. It is false when there is nothing to wait for.
func (c *conn) await() bool {
	c.b = c.b.shrunk()
	c.arm(c.b.n > 0)
	c.idle.Store(c.b.n == 0)
	return !c.server.draining.Load() || c.b.n > 0 // Close has looked for idle connections already
}

// space is where the next bytes go.
func (c *conn) space() []byte {
	if c.b.n == len(c.b.in) {
		c.b = c.b.grown() // parse takes no request longer than the largest buffer
	}
	return c.b.in[c.b.n:]
}

// arrived takes note of n bytes.
func (c *conn) arrived(n int) bool {
	c.idle.Store(false)
	if n <= 0 {
		return false
	}
	c.b.n += n
	c.now = c.server.opts.Now()
	return true
}

// answer answers the requests in the buffer, as many as are whole.
func (c *conn) answer() outcome {
	b := c.b
	start := 0
	for start < b.n {
		size, result := parse(b.in[start:b.n], &c.req)
		if result == whole && c.decide() {
			start += size
			continue
		}
		b.consume(start)
		if result == partial {
			return further
		}
		return general
	}
	b.n = 0
	if c.server.draining.Load() {
		return over
	}
	return further
}

// decide has the request answered, unless that is up to net/http.
func (c *conn) decide() bool {
	c.req.Began, c.req.Done = c.now, time.Time{}
	out, ok := c.server.opts.Hot.Answer(c.server.ctx, &c.req, c.b.out, c.server.draining.Load())
	if !ok {
		return false
	}
	c.b.out = out
	if c.now = c.req.Done; c.now.IsZero() {
		c.now = c.server.opts.Now()
	}
	return true
}

// send writes the answers, within the patience for slow readers.
func (c *conn) send() bool {
	if c.now.Sub(c.patient) > c.server.opts.WriteTimeout/4 {
		c.patient = c.now
		_ = c.SetWriteDeadline(c.now.Add(c.server.opts.WriteTimeout))
	}
	_, err := c.Conn.Write(c.b.out)
	c.b.out = c.b.out[:0]
	return err == nil
}

// arm sets the read deadline: a fixed one for a request that has begun, so
// that trickling bytes do not extend it, and a coarse one for an idle
// connection, since setting it for each request costs more than it is worth.
func (c *conn) arm(begun bool) {
	if begun {
		if c.urgent {
			return
		}
		c.urgent = true
		c.armed = time.Time{}
		_ = c.SetReadDeadline(c.server.opts.Now().Add(c.server.opts.HeadTimeout)) // sending may have taken a while
		return
	}
	if c.urgent || c.now.Sub(c.armed) > c.server.opts.IdleTimeout/4 {
		c.urgent, c.armed = false, c.now
		_ = c.SetReadDeadline(c.now.Add(c.server.opts.IdleTimeout))
	}
}

// leave hands the connection to net/http.
func (c *conn) leave() {
	_ = c.SetDeadline(time.Time{})
	rest := make([]byte, c.b.n)
	copy(rest, c.b.in[:c.b.n])
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
