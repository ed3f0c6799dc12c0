package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// post records what an outbox sends. Until open is closed it holds each send.
type post struct {
	open chan struct{}

	mu   sync.Mutex
	got  []string
	lost int
	err  error
}

func (p *post) send(ctx context.Context, frames []byte) error {
	select {
	case <-p.open:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, string(frames))
	return p.err
}

func (p *post) dropped(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost += n
}

func (p *post) sent() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprint(p.got)
}

func TestAnOutboxJoinsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t.Context())
		p := &post{open: make(chan struct{})}
		o := newOutbox(g, "push", p)
		o.offer([]byte("1"))
		synctest.Wait() // the first is on its way
		shared := append(make([]byte, 0, 16), '2')
		for _, frames := range [][]byte{shared, []byte("3"), []byte("4")} {
			o.offer(frames)
		}
		close(p.open)
		synctest.Wait()
		if p.sent() != "[1 234]" {
			t.Errorf("sent %s, want [1 234]", p.sent())
		}
		if rest := shared[1:cap(shared)]; !bytes.Equal(rest, make([]byte, len(rest))) {
			t.Errorf("what other outboxes share was appended to in place: %q", rest)
		}
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnOutboxIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t.Context())
		o := newOutbox(g, "push", &post{open: make(chan struct{})})
		taken := 0
		for range 3 * outboxPushes {
			if o.offer([]byte("x")) {
				taken++
			}
			synctest.Wait()
		}
		if taken != outboxPushes+1 { // one of them is being sent
			t.Errorf("took %d pushes, want %d", taken, outboxPushes+1)
		}
		o.close()
		_ = g.Stop()
	})
}

func TestAFailedPushDropsTheRestAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t.Context())
		p := &post{open: make(chan struct{}), err: errors.New("refused")}
		o := newOutbox(g, "push", p)
		o.offer([]byte("1"))
		synctest.Wait()
		o.offer([]byte("2"))
		o.offer([]byte("3"))
		close(p.open)
		synctest.Wait()
		p.mu.Lock()
		if p.lost != 2 {
			t.Errorf("%d pushes were counted as dropped, want 2", p.lost)
		}
		p.err = nil
		p.mu.Unlock()
		o.offer([]byte("4"))
		time.Sleep(outboxRecover) // of the bubble's time
		synctest.Wait()
		if p.sent() != "[1 4]" {
			t.Errorf("sent %s, want [1 4]", p.sent())
		}
		_ = g.Stop()
	})
}
