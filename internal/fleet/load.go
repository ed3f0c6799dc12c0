package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/witness"
)

// Load is consumption offered to nodes. Arrivals are a Poisson process, in
// bounded number at a time.
type Load struct {
	Nodes     []*Node
	PerSecond float64  // requests over all nodes together, each node the same
	Agents    []string // each request's agent is drawn evenly
	Tokens    int64    // of each request; 0 means 1
	Seed      uint64
}

// maxInFlight bounds the requests that wait for one node.
const maxInFlight = 64

// Offer sends requests until ctx ends, and returns once all are answered and
// noted in the Book.
func (f *Fleet) Offer(ctx context.Context, l Load) {
	if l.Tokens == 0 {
		l.Tokens = 1
	}
	var wg sync.WaitGroup
	for i, n := range l.Nodes {
		chance := rand.New(rand.NewPCG(l.Seed, uint64(i)))
		wg.Go(func() { f.offerTo(ctx, n, l, chance) })
	}
	wg.Wait()
}

func (f *Fleet) offerTo(ctx context.Context, n *Node, l Load, chance *rand.Rand) {
	var wg sync.WaitGroup
	defer wg.Wait()
	room := make(chan struct{}, maxInFlight)
	mean := float64(time.Second) * float64(len(l.Nodes)) / l.PerSecond
	timer := time.NewTimer(0)
	defer timer.Stop()
	for next := time.Now(); ; {
		timer.Reset(time.Until(next))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		next = next.Add(time.Duration(mean * chance.ExpFloat64()))
		agent := l.Agents[chance.IntN(len(l.Agents))]
		wg.Go(func() {
			f.Ask(context.WithoutCancel(ctx), n, agent, l.Tokens)
			<-room
		})
	}
}

// Ask makes one request and notes its answer.
func (f *Fleet) Ask(ctx context.Context, n *Node, agent string, tokens int64) witness.Answer {
	a := witness.Answer{Agent: agent, Node: n.Name, Tokens: tokens, Sent: f.Since()}
	d, err := n.Client.Agents.Consume(ctx, agent, tokens)
	a.Done, a.Verdict, a.Err = f.Since(), verdict(d, err), err
	f.Book.Note(a)
	return a
}

// verdict judges an answer. A node that answers 5xx may have counted the tokens
// and then failed to make them durable.
func verdict(d client.Decision, err error) witness.Verdict {
	var answered *client.Error
	switch {
	case err == nil && d.Allowed:
		return witness.Admitted
	case err == nil:
		return witness.Denied
	case errors.Is(err, client.ErrUnreachable):
		return witness.Refused
	case errors.As(err, &answered) && answered.Status < http.StatusInternalServerError:
		return witness.Refused
	}
	return witness.Unknown
}
