package main

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// The bucket of every agent: so large that no call of the benchmark is denied.
const (
	capacity   = 9_000_000_000
	refillRate = 1000 // tokens a second
)

// limiter takes tokens of an agent and tells how many are left.
type limiter interface {
	take(ctx context.Context, agent string, tokens int) (allowed bool, remaining int64, err error)
}

// decision is what a limiter behind net/http answers.
type decision struct {
	Allowed   bool   `json:"allowed"`
	Agent     string `json:"agent"`
	Tokens    int    `json:"tokens"`
	Limit     int64  `json:"limit"`
	Remaining int64  `json:"remaining"`
}

// limited decides each call.
func limited(l limiter, answered *counter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Tokens int `json:"tokens"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Tokens < 1 {
			http.Error(w, "tokens must be positive", http.StatusBadRequest)
			return
		}
		agent := r.PathValue("agent")
		allowed, remaining, err := l.take(r.Context(), agent, body.Tokens)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		answered.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if !allowed {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		_ = json.NewEncoder(w).Encode(decision{allowed, agent, body.Tokens, capacity, remaining})
	}
}

// limiters are the buckets of one process.
type limiters struct {
	seed   maphash.Seed
	shards [64]struct {
		sync.Mutex
		of map[string]*rate.Limiter
	}
}

func newLimiters() *limiters {
	l := &limiters{seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].of = make(map[string]*rate.Limiter)
	}
	return l
}

func (l *limiters) take(_ context.Context, agent string, tokens int) (bool, int64, error) {
	sh := &l.shards[maphash.String(l.seed, agent)%uint64(len(l.shards))]
	sh.Lock()
	lim := sh.of[agent]
	if lim == nil {
		lim = rate.NewLimiter(refillRate, capacity)
		sh.of[agent] = lim
	}
	sh.Unlock()
	allowed := lim.AllowN(now(), tokens)
	return allowed, int64(lim.Tokens()), nil
}
