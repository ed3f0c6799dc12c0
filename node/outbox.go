package node

import (
	"context"
	"time"
)

// outbox is the bounded queue of pushes to one peer, and the goroutine that
// sends them. A push that does not fit or does not arrive is dropped: the next
// page then is a gap for the peer, which pulls what it lacks.
type outbox struct {
	queue   chan []byte // framed pages
	cancel  context.CancelFunc
	stopped chan struct{}
}

// Bounds of an outbox: how many flushes wait in it, how much goes into one
// request, and how long it rests after a failure.
const (
	outboxPushes  = 64
	outboxBody    = 512 << 10
	outboxRecover = 200 * time.Millisecond
)

// delivery is what an outbox needs from its owner.
type delivery interface {
	// send makes one request of framed pages.
	send(ctx context.Context, frames []byte) error
	// dropped counts pushes that were given up.
	dropped(pushes int)
}

func newOutbox(g *group, name string, d delivery) *outbox {
	ctx, cancel := context.WithCancel(g.ctx)
	o := &outbox{queue: make(chan []byte, outboxPushes), cancel: cancel, stopped: make(chan struct{})}
	g.Go(name, func(context.Context) error {
		defer close(o.stopped)
		o.run(ctx, d)
		return nil
	})
	return o
}

// offer queues framed pages without waiting; false means the queue is full.
func (o *outbox) offer(frames []byte) bool {
	select {
	case o.queue <- frames:
		return true
	default:
		return false
	}
}

// close stops the sender and waits for it.
func (o *outbox) close() {
	o.cancel()
	<-o.stopped
}

func (o *outbox) run(ctx context.Context, d delivery) {
	for {
		select {
		case <-ctx.Done():
			return
		case frames := <-o.queue:
			body := o.gather(frames)
			if err := d.send(ctx, body); err != nil && ctx.Err() == nil {
				d.dropped(o.empty())
				rest(ctx, outboxRecover)
			}
		}
	}
}

// gather joins what waits into one body, as far as it fits.
func (o *outbox) gather(frames []byte) []byte {
	for len(frames) < outboxBody {
		select {
		case more := <-o.queue:
			// The queue's slices are shared by all outboxes, so never append in place.
			frames = append(frames[:len(frames):len(frames)], more...)
		default:
			return frames
		}
	}
	return frames
}

// empty throws away what waits, which would only be gaps now.
func (o *outbox) empty() (n int) {
	for {
		select {
		case <-o.queue:
			n++
		default:
			return n
		}
	}
}
