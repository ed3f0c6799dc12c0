package front

import "syscall"

// serve serves the connection the cheapest way it has.
//
// net.Conn.Read tries to read before it waits, which for a client that waits
// for its answers is a system call in vain each time. Here the connection
// stays inside one RawConn.Read for all its requests: the callback reads when
// the runtime's poller says that there is something, and returns to wait. The
// poller is edge-triggered, so it tells of bytes that come after a read that
// did not fill its space; that read has seen all there was.
func (c *conn) serve() outcome {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return c.servePlain() // TLS, for one
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return over
	}
	for {
		result, sent := over, true
		err := raw.Read(func(fd uintptr) (done bool) {
			result, sent = c.turn(int(fd))
			return result != further || !sent
		})
		switch {
		case err != nil:
			return over // a deadline passed, or somebody closed it
		case !sent && !c.send():
			return over
		case result != further:
			return result
		}
	}
}

// turn reads and answers until nothing is left to read; with further it is
// prepared to wait. It stops early when the socket takes no more of an answer.
func (c *conn) turn(fd int) (result outcome, sent bool) {
	for {
		space := c.space()
		n, err := syscall.Read(fd, space)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return c.pause(), true
		case err != nil || !c.arrived(n):
			return over, true
		}
		result = c.answer()
		if len(c.b.out) > 0 && !c.write(fd) {
			return result, false
		}
		if result != further {
			return result, true
		}
		if n < len(space) {
			return c.pause(), true
		}
	}
}

func (c *conn) pause() outcome {
	if c.await() {
		return further
	}
	return over
}

// write writes what the socket takes at once, and leaves the rest to send,
// with its patience and its errors.
func (c *conn) write(fd int) bool {
	n, err := syscall.Write(fd, c.b.out)
	if err != nil {
		n = 0
	}
	c.b.out = c.b.out[:copy(c.b.out, c.b.out[n:])]
	return len(c.b.out) == 0
}
