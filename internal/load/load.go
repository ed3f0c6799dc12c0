package load

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

// Target is a node that requests go to. Its client should repeat nothing, so that
// one request is one line of the book.
type Target struct {
	Name   string
	Client *client.Client
}

// Load is consumption offered to nodes. Arrivals are a Poisson process.
type Load struct {
	Targets   []Target
	PerSecond float64  // requests over all nodes together, each node the same
	Agents    []string // each request's agent is drawn evenly
	Tokens    int64    // of each request; 0 means 1
	Seed      uint64
}

// Notes is where answers go, and the clock their instants are of.
type Notes struct {
	Book  *witness.Book
	Since func() time.Duration
}

// maxInFlight bounds the requests that wait for one node.
const maxInFlight = 64

// Offer sends requests until ctx ends, and returns once all are answered and
// noted.
func Offer(ctx context.Context, l Load, notes Notes) {
	if l.Tokens == 0 {
		l.Tokens = 1
	}
	var wg sync.WaitGroup
	for i, t := range l.Targets {
		chance := rand.New(rand.NewPCG(l.Seed, uint64(i)))
		wg.Go(func() { l.offerTo(ctx, t, notes, chance) })
	}
	wg.Wait()
}

func (l Load) offerTo(ctx context.Context, t Target, notes Notes, chance *rand.Rand) {
	var wg sync.WaitGroup
	defer wg.Wait()
	room := make(chan struct{}, maxInFlight)
	mean := float64(time.Second) * float64(len(l.Targets)) / l.PerSecond
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
			Ask(context.WithoutCancel(ctx), t, agent, l.Tokens, notes)
			<-room
		})
	}
}

// Ask makes one request and notes its answer.
func Ask(ctx context.Context, t Target, agent string, tokens int64, notes Notes) witness.Answer {
	a := witness.Answer{Agent: agent, Node: t.Name, Tokens: tokens, Sent: notes.Since()}
	d, err := t.Client.Agents.Consume(ctx, agent, tokens)
	a.Done, a.Verdict, a.Err = notes.Since(), verdict(d, err), err
	notes.Book.Note(a)
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
