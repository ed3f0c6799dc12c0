package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/replay"
)

// second is what happened in one second of a run.
type second struct {
	offered, admitted float64
	forecast, refill  float64 // what clawd said, 0 without a pool
	latencySum        float64 // seconds
	done              float64
}

// outcome is one run.
type outcome struct {
	kind     string
	capacity float64 // unscaled
	seconds  []second
	latency  []time.Duration // of admitted requests that the downstream served
	offered  int64
	denied   int64
	failed   int64 // downstream refused, or a connection broke
	skipped  int64 // not sent: too many were under way
	overload float64
	cpu      float64 // share of one core, of the clawd process
}

// maxUnderWay bounds the requests that wait for an answer.
const maxUnderWay = 20_000

// run is one run under way.
type run struct {
	outcome
	load   *replay.Load
	node   *fleet.Node
	cl     *client.Client
	http   *http.Client
	down   *downstream
	mu     sync.Mutex
	flying atomic.Int64
	wait   sync.WaitGroup
	fed    client.FeedbackReport // since the last report
}

func (r *run) drive(ctx context.Context) error {
	r.seconds = make([]second, len(r.load.Seconds))
	cpu, err := cpuTime(r.node)
	if err != nil {
		return err
	}
	began := time.Now()
	for sec := range r.load.Seconds {
		r.offer(ctx, began, sec)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.sample(ctx, sec)
	}
	r.wait.Wait()
	after, err := cpuTime(r.node)
	if err != nil {
		return err
	}
	r.cpu = (after - cpu).Seconds() / time.Since(began).Seconds()
	r.overload = r.down.overloaded()
	slices.Sort(r.latency)
	return nil
}

// offer sends a second's requests when each is due, those of all agents mixed.
func (r *run) offer(ctx context.Context, began time.Time, sec int) {
	type due struct {
		at    time.Duration
		agent int32
	}
	var list []due
	for _, d := range r.load.Seconds[sec] {
		for k := range d.Requests {
			offset := (time.Duration(k)*time.Second + time.Duration(d.Agent)*time.Second/time.Duration(len(r.load.Agents))) / time.Duration(d.Requests)
			list = append(list, due{time.Duration(sec)*time.Second + min(offset, time.Second-1), d.Agent})
		}
	}
	slices.SortFunc(list, func(a, b due) int { return int(a.at - b.at) })
	for _, d := range list {
		if wait := d.at - time.Since(began); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		r.offered++
		r.seconds[sec].offered++
		if r.flying.Load() >= maxUnderWay {
			r.skipped++
			continue
		}
		r.flying.Add(1)
		r.wait.Go(func() {
			defer r.flying.Add(-1)
			r.one(ctx, sec, r.load.Agents[d.agent].Name)
		})
	}
	if wait := time.Duration(sec+1)*time.Second - time.Since(began); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// one asks clawd and, when it allows, the downstream.
func (r *run) one(ctx context.Context, sec int, agent string) {
	began := time.Now()
	d, err := r.cl.Agents.Consume(ctx, agent, 1)
	if err != nil {
		atomic.AddInt64(&r.failed, 1)
		return
	}
	if !d.Allowed {
		atomic.AddInt64(&r.denied, 1)
		return
	}
	asked := time.Now()
	served := r.call(ctx)
	took, inside := time.Since(began), time.Since(asked)
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.seconds[sec]
	s.admitted++
	r.fed.Requests++
	r.fed.LatencyMSSum += inside.Seconds() * 1000
	if !served {
		atomic.AddInt64(&r.failed, 1)
		r.fed.Errors++
		return
	}
	s.latencySum += took.Seconds()
	s.done++
	r.latency = append(r.latency, took)
}

func (r *run) call(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.down.url, nil)
	if err != nil {
		return false
	}
	res, err := r.http.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// sample ends a second: it reports what was seen of the downstream, as a sidecar
// would, and asks how the pool stands.
func (r *run) sample(ctx context.Context, sec int) {
	if r.kind != adaptive {
		return
	}
	r.mu.Lock()
	report := r.fed
	r.fed = client.FeedbackReport{}
	r.mu.Unlock()
	report.Pool, report.WindowSeconds = poolName, 1
	if _, err := r.cl.Pools.Feedback(ctx, report); err != nil {
		return // the next one has the next second
	}
	if p, err := r.cl.Pools.Get(ctx, poolName, 0); err == nil {
		r.seconds[sec].forecast, r.seconds[sec].refill = p.Status.Forecast.Mean, p.Status.Part
	}
}

// cpuTime is what the clawd process used so far.
func cpuTime(n *fleet.Node) (time.Duration, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(n.Process().PID()) + "/stat")
	if err != nil {
		return 0, err
	}
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const utime, stime, hundredth = 11, 12, 10 * time.Millisecond // after the name in brackets; see proc(5)
	user, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(user+system) * hundredth, err
}
