package netlab

import (
	"container/heap"
	"os"
	"sync"
	"time"
)

// parcel is a packet under way.
type parcel struct {
	due    time.Time
	number int64 // equal instants keep their order
	to     *os.File
	packet []byte
}

// transit holds packets until they are due. One goroutine runs it.
type transit struct {
	mu     sync.Mutex
	queue  parcels
	number int64
	news   chan struct{} // one pending look is enough
	done   chan struct{}
}

// maxUnderWay bounds the memory of packets under way; a network that is asked
// for more drops them, as routers do.
const maxUnderWay = 20_000

func newTransit() *transit {
	return &transit{news: make(chan struct{}, 1), done: make(chan struct{})}
}

// add reports whether there was room.
func (t *transit) add(p parcel) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) >= maxUnderWay {
		return false
	}
	t.number++
	p.number = t.number
	heap.Push(&t.queue, p)
	select {
	case t.news <- struct{}{}:
	default:
	}
	return true
}

// run delivers until stop.
func (t *transit) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(t.deliver())
		select {
		case <-timer.C:
		case <-t.news:
		case <-t.done:
			return
		}
	}
}

// deliver hands over everything that is due and returns when to look again.
func (t *transit) deliver() time.Duration {
	for {
		t.mu.Lock()
		if len(t.queue) == 0 {
			t.mu.Unlock()
			return time.Hour
		}
		if wait := time.Until(t.queue[0].due); wait > 0 {
			t.mu.Unlock()
			return wait
		}
		p := heap.Pop(&t.queue).(parcel)
		t.mu.Unlock()
		_, _ = p.to.Write(p.packet) // a host that is gone, or a packet its kernel refuses, is a loss
	}
}

func (t *transit) stop() { close(t.done) }

// parcels is a heap, the next due first.
type parcels []parcel

func (p parcels) Len() int { return len(p) }
func (p parcels) Less(i, j int) bool {
	if p[i].due.Equal(p[j].due) {
		return p[i].number < p[j].number
	}
	return p[i].due.Before(p[j].due)
}
func (p parcels) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *parcels) Push(x any)   { *p = append(*p, x.(parcel)) }
func (p *parcels) Pop() any {
	old := *p
	last := old[len(old)-1]
	*p = old[:len(old)-1]
	return last
}
