package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// downstream is one queue in front of a server that takes a request every 1/rate
// and works on each for serviceTime.
type downstream struct {
	rate float64
	srv  *http.Server
	url  string

	mu      sync.Mutex
	free    time.Time // when the queue is empty
	waits   [3]int    // requests: all, those that waited too long, those refused
	allowed time.Duration
}

const (
	serviceTime = 20 * time.Millisecond
	longest     = 2 * time.Second // a longer queue is refused
	tick        = 100 * time.Millisecond
)

func newDownstream(rate float64, allowed time.Duration) (*downstream, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &downstream{rate: rate, allowed: allowed, url: "http://" + l.Addr().String()}
	d.srv = &http.Server{Handler: http.HandlerFunc(d.serve), ReadHeaderTimeout: time.Minute}
	go func() { _ = d.srv.Serve(l) }() // ends with close
	return d, nil
}

func (d *downstream) close() { _ = d.srv.Close() }

func (d *downstream) serve(w http.ResponseWriter, r *http.Request) {
	wait, ok := d.enter(time.Now())
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	select {
	case <-time.After(wait + serviceTime):
	case <-r.Context().Done():
	}
	w.WriteHeader(http.StatusOK)
}

func (d *downstream) enter(now time.Time) (wait time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.free.Before(now) {
		d.free = now
	}
	wait = d.free.Sub(now)
	d.waits[0]++
	if wait > d.allowed+tick {
		d.waits[1]++
	}
	if wait > longest {
		d.waits[2]++
		return 0, false
	}
	d.free = d.free.Add(time.Duration(float64(time.Second) / d.rate))
	return wait, true
}

// overloaded is the share of requests that had to wait longer than is allowed, by
// more than a tick.
func (d *downstream) overloaded() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return float64(d.waits[1]) / float64(max(d.waits[0], 1))
}
