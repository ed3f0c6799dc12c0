package crashtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
)

// play does so many random things.
func (w *world) play(steps int) {
	for range steps {
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		if !n.alive() {
			n.crash(percents[w.rng.IntN(3)])
			continue
		}
		if err := w.step(n.proc); err != nil {
			w.tell("%s: %v", n, err)
		}
		w.pass(time.Duration(w.rng.Int64N(int64(2 * w.pace))))
	}
}

// step does one random thing to one process. Its error is one that a client or
// peer was answered.
func (w *world) step(p *process) error {
	now := p.n.now()
	switch draw := w.rng.IntN(100); {
	case draw < 40:
		return p.consume(w.request())
	case draw < 44:
		return p.refund(agents[w.rng.IntN(len(agents))], 1+w.rng.Int64N(maxTokens))
	case draw < 50:
		return p.increment(counters[w.rng.IntN(len(counters))], w.rng.Int64N(20)-5)
	case draw < 54:
		return w.writeKV(p)
	case draw < 55:
		return w.control(p)
	case draw < 80:
		p.advance()
	case draw < 90:
		if from := w.nodes[w.rng.IntN(len(w.nodes))]; from != p.n && from.alive() {
			p.pull(from.proc, w.rng.IntN(8)-1)
		}
	case draw < 92:
		p.rep.Tick(now)
		if w.collects() {
			return p.collect(50)
		}
	case draw < 95:
		return p.collect(5)
	case draw < 97:
		w.pass(time.Duration(w.rng.IntN(4)) * time.Second)
	case draw < 98:
		w.restart(p)
	}
	return nil
}

func (p *process) collect(budget int) error {
	done, err := p.rep.Collect(p.n.now(), budget)
	p.n.w.count.collected += done.Dropped
	return err
}

// advance moves the flush under way by a stage, or begins one.
func (p *process) advance() {
	switch p.stage {
	case idle:
		p.begin()
	case begun:
		if p.flush.Batch.Len() > 0 && p.n.w.chance(50) {
			p.apply()
			return
		}
		p.sync()
	case applied:
		p.sync()
	case synced:
		p.end()
	}
}

func (w *world) request() request {
	if w.chance(10) { // atomic, with an agent twice
		var q request
		for range 3 {
			q.agents = append(q.agents, agents[w.rng.IntN(len(agents))])
			q.tokens = append(q.tokens, 1+w.rng.Int64N(maxTokens))
		}
		return q
	}
	q := request{agents: []string{agents[w.rng.IntN(len(agents))]}, tokens: []int64{1 + w.rng.Int64N(maxTokens)}}
	if w.chance(10) {
		q.inline = inlineLimit()
	}
	return q
}

func (w *world) writeKV(p *process) error {
	key := kvKeys[w.rng.IntN(len(kvKeys))]
	if w.chance(10) {
		key = counters[w.rng.IntN(len(counters))] // ends the counter's epoch when it is deleted
	}
	var wait uint64
	var err error
	if w.chance(30) {
		wait, err = p.rep.KVDelete(p.n.now(), tenant, key, nil)
	} else {
		value := make([]byte, w.rng.IntN(12_000)) // so that the store has tables to write
		_, _, wait, err = p.rep.KVPut(p.n.now(), tenant, key, replica.KVWrite{Value: value})
	}
	if err == nil {
		p.wroteRegister(crdt.RegisterKey{Space: crdt.SpaceKV, Tenant: tenant, Name: key}, wait)
	}
	return err
}

// control resets or deletes one of the agents that are there for it.
func (w *world) control(p *process) error {
	agent := []string{"t1", "t2"}[w.rng.IntN(2)]
	do, space := p.rep.ResetAgent, crdt.SpaceReset
	if w.chance(40) {
		do, space = p.rep.DeleteAgent, crdt.SpaceAgent
	}
	wait, err := do(p.n.now(), tenant, agent)
	if err == nil {
		p.wroteRegister(crdt.RegisterKey{Space: space, Tenant: tenant, Name: agent}, wait)
	}
	return err
}

// restart stops a process cleanly and starts it again, sometimes with its clock
// set.
func (w *world) restart(p *process) {
	p.stop()
	n := p.n
	if p.failed || n.point.crashed() {
		n.crash(0)
		return
	}
	if w.chance(30) {
		n.clock = w.rng.Int64N(1_200_000) - 600_000
	}
	n.shut()
	n.disk = n.clone(0)
	w.must(n.start())
}

// settle lets everybody talk to everybody, and looks whether all agree.
func (w *world) settle() {
	w.quiet()
	w.must(w.checkAgreement())
}

// quiet ends all faults, and lets everybody talk to everybody.
func (w *world) quiet() {
	w.boundary, w.arm = nil, nil
	for _, n := range w.nodes {
		n.point.arm(0, 0, 0)
		n.faults.disarm()
	}
	w.tell("all faults are over")
	for met := true; met; { // a fault may come to light only now
		met = false
		for _, n := range w.nodes {
			if !n.alive() {
				n.crash(100)
			}
		}
		w.exchange()
		for _, n := range w.nodes {
			met = met || !n.alive()
		}
	}
}

func (w *world) exchange() {
	flush := func() {
		for _, n := range w.nodes {
			if n.alive() {
				n.proc.wholeFlush()
			}
		}
	}
	for range 3 {
		flush()
		for _, n := range w.nodes {
			for _, from := range w.nodes {
				if from != n && n.alive() && from.alive() {
					n.proc.pull(from.proc, -1)
				}
			}
		}
	}
	flush()
}

// newConfig draws what the schedules of a seed are about.
func newConfig(seed uint64) config {
	return config{
		nodes: 2 + int(seed%2), idle: 24 * time.Hour, pace: 20 * time.Millisecond,
		pageRows: []int{1, 2, 4096}[seed%3], hotCells: []int{3, 1000}[seed/2%2],
	}
}

// tally adds up what the schedules of a test have met, so that a test which
// tests nothing fails.
type tally struct{ crashes, forks, struck, faults, recovered, lost, collected int }

func (t *tally) add(w *world) {
	t.crashes += w.count.crashes
	t.forks += w.count.forks
	t.struck += w.count.struck
	t.faults += w.count.faults
	t.recovered += w.count.recovered
	t.lost += w.count.lost
	t.collected += w.count.collected
}

func (t *tally) need(test *testing.T, what map[string]int) {
	test.Helper()
	test.Logf("%+v", *t)
	for name, n := range what {
		if n == 0 && !test.Failed() {
			test.Errorf("no %s in all schedules: the test does not do what it should", name)
		}
	}
}

// forkEverywhere opens what a crash would leave between any two stages of any
// flush, whatever of the unsynced data survives. Now and then the machine
// really crashes there, and goes on from what is left.
func (w *world) forkEverywhere() {
	w.boundary = func(p *process, at string) {
		for _, percent := range percents {
			if err := p.n.fork(percent); err != nil {
				w.must(fmt.Errorf("a crash after the flush has %s, with %d %% of the unsynced data: %w", at, percent, err))
			}
		}
		if w.chance(7) {
			p.n.point.arm(1, percents[w.rng.IntN(3)], w.rng.Uint64()) // at the next operation
		}
	}
}

func TestCrashAtEachFlushBoundary(t *testing.T) {
	t.Parallel()
	var sum tally
	eachSeed(t, 3, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed, newConfig(seed))
		w.forkEverywhere()
		w.play(300)
		w.settle()
		sum.add(w)
	})
	sum.need(t, map[string]int{"crashes": sum.crashes, "forks": sum.forks, "rows charged by starts": sum.recovered, "rows lost": sum.lost})
}

// At random file operations, so in the midst of commits, of the store's own
// work, and of starts that recover from an earlier crash.
func TestCrashAtRandomPoints(t *testing.T) {
	t.Parallel()
	var sum tally
	eachSeed(t, 10, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed, newConfig(seed))
		w.arm = func(c *crashPoint) {
			after := []int{0, 30, 100, 400}[w.rng.IntN(4)] // a start takes about 50
			if after > 0 {
				after = 1 + w.rng.IntN(after)
			}
			c.arm(after, percents[w.rng.IntN(3)], w.rng.Uint64())
		}
		w.play(600)
		w.settle()
		sum.add(w)
	})
	sum.need(t, map[string]int{"crashes": sum.crashes, "rows charged by starts": sum.recovered, "rows lost": sum.lost})
}

// At file operation after file operation of a start that has marks to charge, and
// again right after it: whatever a peer may have heard of it, they are charged once.
func TestCrashWhileRecovering(t *testing.T) {
	t.Parallel()
	eachSeed(t, 1, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed, newConfig(seed))
		w.play(60)
		w.quiet()
		n, other := w.nodes[0], w.nodes[1]
		const most = 90 // a start takes about 50, and more with each run before it
		for at := 1; at < most; at += 1 + w.rng.IntN(4) {
			for range 2 { // asks for a mark, and takes a part of it
				w.must(n.proc.consume(request{agents: []string{"r1"}, tokens: []int64{1}}))
				n.proc.wholeFlush()
			}
			percent := percents[w.rng.IntN(3)]
			w.arm = func(c *crashPoint) { c.arm(at, percent, w.rng.Uint64()) }
			n.crash(percents[w.rng.IntN(3)])
			w.arm = nil
			if n.alive() {
				other.proc.pull(n.proc, -1)
			}
			n.crash(percent)
		}
		if w.count.recovered < 10 {
			t.Errorf("only %d rows were charged", w.count.recovered)
		}
		w.settle()
	})
}

// With rows and dead runs that are collected meanwhile: what was dropped must
// neither come back nor be lost from the totals.
func TestCrashWhileCollecting(t *testing.T) {
	t.Parallel()
	var sum tally
	eachSeed(t, 3, func(t *testing.T, seed uint64) {
		c := newConfig(seed)
		c.idle, c.pace = 10*time.Second, 500*time.Millisecond
		w := newWorld(t, seed, c)
		w.forkEverywhere()
		for range 4 {
			w.play(60)
			w.quiet() // a row goes once everybody has acknowledged it
			for range 3 {
				w.pass(w.idle)
				w.quiet()
			}
			for _, n := range w.nodes {
				w.must(n.proc.collect(1000))
			}
			w.forkEverywhere()
		}
		w.settle()
		sum.add(w)
	})
	sum.need(t, map[string]int{"crashes": sum.crashes, "forks": sum.forks, "collected rows": sum.collected})
}
