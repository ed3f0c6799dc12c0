package replay

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openclaw/clawd/internal/trace"
)

// ErrLoad reports requests that cannot be played.
var ErrLoad = errors.New("replay: nothing to play")

// Load is what agents offer, second by second.
type Load struct {
	Name    string
	Agents  []Agent
	Seconds [][]Demand // by second from 0
}

// Agent is one of those who ask.
type Agent struct {
	Name string
	// Weight is its share in the pool by contract, in relation to the others'.
	Weight float64
	// MaxRate is the most it may be admitted in a second; 0 = no bound.
	MaxRate float64
}

// Demand is the requests of one agent in one second.
type Demand struct {
	Agent    int32
	Requests int32
}

const (
	maxSeconds   = 10_000_000
	maxPerSecond = 10_000_000
)

// FromTrace takes the agents of a recording, with equal weights, and its
// seconds. Without ids there is one agent.
func FromTrace(name string, t *trace.Trace) (*Load, error) {
	if len(t.Points) == 0 {
		return nil, fmt.Errorf("%w: %s has no requests", ErrLoad, name)
	}
	l := &Load{Name: name}
	first := t.Points[0].Second
	if last := t.Points[len(t.Points)-1].Second; last-first >= maxSeconds {
		return nil, fmt.Errorf("%w: %s spans more than %d seconds", ErrLoad, name, maxSeconds)
	} else {
		l.Seconds = make([][]Demand, last-first+1)
	}
	index := make(map[string]int32)
	for _, p := range t.Points {
		i, ok := index[p.ID]
		if !ok {
			i = int32(len(l.Agents))
			index[p.ID] = i
			l.Agents = append(l.Agents, Agent{Name: p.ID, Weight: 1})
		}
		if p.Requests > maxPerSecond {
			return nil, fmt.Errorf("%w: %s has %d requests in second %d, at most %d can be played", ErrLoad, name, p.Requests, p.Second, maxPerSecond)
		}
		if p.Requests > 0 {
			s := &l.Seconds[p.Second-first]
			*s = append(*s, Demand{Agent: i, Requests: int32(p.Requests)})
		}
	}
	return l, nil
}

// Total is the number of requests.
func (l *Load) Total() (n int64) {
	for _, s := range l.Seconds {
		n += count(s)
	}
	return n
}

// Quantile is the q-quantile of the requests of a second.
func (l *Load) Quantile(q float64) float64 {
	all := make([]int64, len(l.Seconds))
	for i, s := range l.Seconds {
		all[i] = count(s)
	}
	slices.Sort(all)
	return float64(all[min(int(q*float64(len(all))), len(all)-1)])
}

// Mean is the requests of a second in the mean.
func (l *Load) Mean() float64 { return float64(l.Total()) / float64(len(l.Seconds)) }

func count(s []Demand) (n int64) {
	for _, d := range s {
		n += int64(d.Requests)
	}
	return n
}
