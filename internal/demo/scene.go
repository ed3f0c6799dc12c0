package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/openclaw/clawd/internal/trace"
	"github.com/openclaw/clawd/ratelimit"
)

// scene is one recording as it is played: who asks for what, when, under which
// policy.
type scene struct {
	name     string
	unit     string
	policy   ratelimit.Policy
	limit    ratelimit.Limit
	arrivals []arrival
}

type arrival struct {
	at     time.Duration // since the start, sped up
	scene  *scene
	agent  string
	tokens int64
}

// loadScenes reads the recordings and gives each a policy under which a part
// of the traffic is too much: a limiter that is never reached shows nothing.
func loadScenes(o options) ([]*scene, error) {
	chat, err := loadScene("chat", "LLM tokens", o.chat, o, tokensOf)
	if err != nil {
		return nil, err
	}
	agents, err := loadScene("agent", "requests", o.agents, o, func(trace.Point) int64 { return 1 })
	if err != nil {
		return nil, err
	}
	if err := chat.setPolicy(o, 0.65, 3); err != nil {
		return nil, err
	}
	if err := agents.setPolicy(o, 0.60, 4); err != nil {
		return nil, err
	}
	return []*scene{chat, agents}, nil
}

// tokensOf is the mean tokens of a request in its second.
func tokensOf(p trace.Point) int64 {
	var sum int64
	for _, n := range p.Extra {
		sum += n
	}
	return max(sum/max(p.Requests, 1), 1)
}

func loadScene(name, unit, file string, o options, cost func(trace.Point) int64) (*scene, error) {
	t, err := trace.Open(file)
	if err != nil {
		return nil, err
	}
	s := &scene{name: name, unit: unit}
	for _, p := range t.Points {
		begin := time.Duration(p.Second) * time.Second
		if begin >= o.span {
			break
		}
		agent := name
		if p.ID != "" {
			agent = name + ":" + p.ID
		}
		for i := range p.Requests { // spread evenly over the second
			at := begin + time.Duration(i)*time.Second/time.Duration(p.Requests)
			s.arrivals = append(s.arrivals, arrival{time.Duration(float64(at) / o.speedup), s, agent, cost(p)})
		}
	}
	if len(s.arrivals) == 0 {
		return nil, fmt.Errorf("%s: nothing happens in the first %v", file, o.span)
	}
	slices.SortStableFunc(s.arrivals, func(a, b arrival) int { return int(a.at - b.at) })
	return s, nil
}

// setPolicy lets an agent have the given share of what the busiest one asks
// for on average, and a few seconds' worth at once.
func (s *scene) setPolicy(o options, share float64, burst float64) error {
	asked := make(map[string]int64)
	var largest int64
	for _, a := range s.arrivals {
		asked[a.agent] += a.tokens
		largest = max(largest, a.tokens)
	}
	var most int64
	for _, n := range asked {
		most = max(most, n)
	}
	seconds := o.span.Seconds() / o.speedup
	rate := int64(share*float64(most)/seconds) + 1
	s.policy = ratelimit.Policy{
		Name: s.name, Match: s.name + "*",
		Capacity:   max(int64(burst*float64(rate)), largest),
		RefillRate: ratelimit.Whole(rate), IntervalSeconds: ratelimit.Whole(1),
	}
	if err := s.policy.Validate(); err != nil {
		return err
	}
	s.limit = s.policy.Limit()
	return nil
}
