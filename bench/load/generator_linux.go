package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Options describe a load.
type Options struct {
	Addr string // host:port, an IPv4 address
	// Rate is requests a second, Connections how many may be under way.
	Rate        float64
	Duration    time.Duration
	Connections int
	// Request is the i-th request, whole. It must stay as it is.
	Request func(i uint64) []byte
	// Progress, if set, is called every so often with how many were answered.
	Progress func(answered uint64)
}

// Result is what became of a load.
type Result struct {
	Due      uint64 // requests that were to be sent
	Answered uint64 // with status 200
	Refused  uint64 // with any other
	Lost     uint64 // not answered: the connection broke, or the load ended before
	Latency  Histogram
	CPU      time.Duration // of this generator
	Elapsed  time.Duration
}

// grace is how long the last answers may take after the last request was due.
const grace = 5 * time.Second

// Run sends the load and returns when it is over, all connections are broken,
// or ctx has ended.
func Run(ctx context.Context, o Options) (*Result, error) {
	type outcome struct {
		res *Result
		err error
	}
	done := make(chan outcome)
	go func() {
		// Given back as it was, and not ended: processes the caller has started
		// from it may be set to die with it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		res, err := run(ctx, o)
		done <- outcome{res, err}
	}()
	out := <-done
	return out.res, out.err
}

func run(ctx context.Context, o Options) (_ *Result, err error) {
	// Sleeping is exact to the microsecond instead of 50.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("timer slack: %w", err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }() // the default
	g := &generator{o: o, res: &Result{}}
	defer g.close()
	if err := g.open(); err != nil {
		return nil, err
	}
	cpu := threadCPU()
	g.start = time.Now()
	for ctx.Err() == nil && g.step() {
	}
	g.res.Elapsed = time.Since(g.start)
	g.res.CPU = threadCPU() - cpu
	g.res.Due = g.next
	g.res.Lost = g.next - g.res.Answered - g.res.Refused
	return g.res, nil
}

func threadCPU() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type generator struct {
	o     Options
	res   *Result
	epoll int
	conns []conn
	free  []int // indexes of conns that wait for work
	alive int
	start time.Time
	next  uint64 // index of the next request
	told  time.Time
}

type conn struct {
	fd   int
	due  time.Time // of the request under way
	busy bool
	answer
}

func (g *generator) open() error {
	addr, err := net.ResolveTCPAddr("tcp4", g.o.Addr)
	if err != nil {
		return err
	}
	if g.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	to := &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}
	g.conns = make([]conn, g.o.Connections)
	for i := range g.conns {
		fd, err := dial(to)
		if err != nil {
			return fmt.Errorf("connect to %s: %w", g.o.Addr, err)
		}
		c := &g.conns[i]
		c.fd, c.buf = fd, make([]byte, 4<<10)
		g.alive++
		g.free = append(g.free, i)
		if err := unix.EpollCtl(g.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(i)}); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
	}
	return nil
}

func dial(to *unix.SockaddrInet4) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(
		unix.Connect(fd, to),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetNonblock(fd, true),
	); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func (g *generator) close() {
	for i := range g.conns {
		if g.conns[i].fd > 0 {
			_ = unix.Close(g.conns[i].fd)
		}
	}
	if g.epoll > 0 {
		_ = unix.Close(g.epoll)
	}
}

// dueAt is when request i is to be sent.
func (g *generator) dueAt(i uint64) time.Time {
	return g.start.Add(time.Duration(float64(i) / g.o.Rate * float64(time.Second)))
}

// step sends what is due, waits for what comes first, and takes the answers.
// It is false at the end.
func (g *generator) step() bool {
	now := time.Now()
	end := g.start.Add(g.o.Duration)
	due := g.dueAt(g.next)
	for len(g.free) > 0 && !due.After(now) && due.Before(end) {
		g.send(due)
		due = g.dueAt(g.next)
	}
	over := !due.Before(end)
	if g.alive == 0 || over && (len(g.free) == g.alive || now.After(end.Add(grace))) {
		return false
	}
	wait := 100 * time.Millisecond
	if len(g.free) > 0 && !over {
		wait = min(wait, max(due.Sub(now), 0))
	}
	g.wait(wait)
	if g.o.Progress != nil && now.Sub(g.told) > 5*time.Millisecond {
		g.told = now
		g.o.Progress(g.res.Answered)
	}
	return true
}

// send begins the next request. One that breaks its connection is lost.
func (g *generator) send(due time.Time) {
	last := len(g.free) - 1
	i := g.free[last]
	g.free = g.free[:last]
	c := &g.conns[i]
	request := g.o.Request(g.next)
	g.next++
	n, err := unix.Write(c.fd, request)
	if err != nil || n != len(request) { // a request is far smaller than a socket's buffer
		g.drop(c)
		return
	}
	c.due, c.busy = due, true
	c.reset()
}

func (g *generator) drop(c *conn) {
	_ = unix.Close(c.fd)
	c.fd, c.busy = -1, false
	g.alive--
}

// wait polls for answers, for at most d.
func (g *generator) wait(d time.Duration) {
	var events [256]unix.EpollEvent
	n, err := unix.EpollWait(g.epoll, events[:], 0)
	if err == nil && n == 0 && d > 0 {
		timeout := unix.NsecToTimespec(d.Nanoseconds())
		fds := []unix.PollFd{{Fd: int32(g.epoll), Events: unix.POLLIN}}
		if _, err = unix.Ppoll(fds, &timeout, nil); err == nil {
			n, err = unix.EpollWait(g.epoll, events[:], 0)
		}
	}
	if err != nil {
		return // interrupted: come back
	}
	for _, e := range events[:n] {
		g.take(int(e.Fd))
	}
}

// take reads what connection i has.
func (g *generator) take(i int) {
	c := &g.conns[i]
	if c.fd < 0 {
		return
	}
	n, err := unix.Read(c.fd, c.space())
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if err != nil || n <= 0 || !c.busy {
		g.drop(c)
		g.free = without(g.free, i)
		return
	}
	whole, status := c.more(n)
	if !whole {
		return
	}
	g.res.Latency.Add(time.Since(c.due))
	if status == 200 {
		g.res.Answered++
	} else {
		g.res.Refused++
	}
	c.busy = false
	g.free = append(g.free, i)
}

func without(free []int, i int) []int {
	kept := free[:0]
	for _, f := range free {
		if f != i {
			kept = append(kept, f)
		}
	}
	return kept
}
