package sim

import (
	"bytes"
	"errors"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
)

type msgKind uint8

const (
	msgPush   msgKind = iota // a page of the sender's own run
	msgPulled                // a page of an answer to a pull
	msgPull                  // a request
	msgAck                   // an acknowledgement
)

// message is encoded bytes on their way.
type message struct {
	kind     msgKind
	from, to int
	body     []byte
	damaged  bool
	sent     int64
	chance   chance
}

// encode writes a message into memory that many share: most are short.
func (w *world) encode(m interface{ Append(b []byte) []byte }) []byte {
	const chunk, room = 64 << 10, 2 << 10
	if cap(w.wire)-len(w.wire) < room {
		w.wire = make([]byte, 0, chunk)
	}
	start := len(w.wire)
	w.wire = m.Append(w.wire)
	return w.wire[start:len(w.wire):len(w.wire)]
}

// send lets a message travel, or not.
func (w *world) send(m *message) {
	net, c := &w.plan.Net, &m.chance
	m.sent = w.now
	if w.cut[m.from][m.to] || !w.calm && c.permille(net.Drop) {
		w.tally.Struck++
		return
	}
	if w.calm {
		w.deliver(m)
		return
	}
	if c.permille(net.Dup) {
		w.coverage.hit(covDup)
		w.tally.Struck++
		twin := *m
		twin.chance = c.fork()
		w.travel(&twin)
	}
	if c.permille(net.Damage) {
		w.tally.Struck++
		m.damage(w.coverage)
	}
	w.travel(m)
}

func (w *world) travel(m *message) {
	net, c := &w.plan.Net, &m.chance
	delay := int64(c.below(int(net.Latency) + 1))
	if c.permille(net.Slow) {
		delay += int64(c.below(int(net.SlowMS)))
		w.tally.Struck++
	}
	w.queue.push(w.now+delay, func(w *world) {
		if !w.cut[m.from][m.to] {
			w.deliver(m)
		}
	})
}

// damage flips a bit or cuts the end off.
func (m *message) damage(seen *Coverage) {
	m.damaged = true
	m.body = bytes.Clone(m.body)
	if m.chance.permille(300) {
		seen.hit(covTruncated)
		m.body = m.body[:m.chance.below(len(m.body))]
		return
	}
	m.body[m.chance.below(len(m.body))] ^= 1 << m.chance.below(8)
}

func (w *world) deliver(m *message) {
	to := w.machines[m.to]
	p := to.proc
	switch {
	case p == nil:
		return
	case to.paused(w.now):
		w.queue.push(to.until, func(w *world) { w.deliver(m) })
		return
	}
	switch m.kind {
	case msgPush, msgPulled:
		w.deliverPage(p, m)
	case msgPull:
		w.deliverPull(p, m)
	case msgAck:
		ack, err := antientropy.DecodeAck(m.body)
		if w.decoded(m, err) {
			p.rep.NoteAck(w.instant(p), ack)
		}
	}
}

// decoded tells whether a message could be read: a whole one must, a damaged
// one must not.
func (w *world) decoded(m *message, err error) bool {
	switch {
	case m.damaged && err == nil:
		w.fail("I12", "a damaged message: expected an error, got a message")
	case m.damaged:
		w.coverage.hit(covDamaged)
	case err != nil:
		w.fail("I14", "%s decodes what %s sent: expected a message, got %v", w.machines[m.to].name, w.machines[m.from].name, err)
	}
	return err == nil && !m.damaged
}

func (w *world) deliverPage(p *process, m *message) {
	page, err := antientropy.DecodePage(m.body)
	if !w.decoded(m, err) {
		return
	}
	w.tally.Pages++
	w.lag.message = max(w.lag.message, w.now-m.sent)
	now := w.instant(p)
	var ack antientropy.Ack
	if m.kind == msgPush {
		ack, err = p.rep.MergePush(now, page)
	} else {
		err = p.rep.MergePulled(now, page)
	}
	if w.story != nil && (len(page.Entries) > 0 || err != nil) {
		w.tell("%s gets %s%s", w.ledger.runs[p.run].name, w.pageName(page, m), errText(err))
	}
	if err == nil {
		w.learnPage(p, page)
		w.lookAfterMerge(p, page, m)
		if m.kind == msgPush {
			w.send(&message{kind: msgAck, from: m.to, to: m.from, body: w.encode(&ack), chance: m.chance.fork()})
		}
		return
	}
	var gap *antientropy.GapError
	switch {
	case errors.As(err, &gap):
		w.coverage.hit(covGap)
		if m.kind == msgPush {
			w.pull(p, w.machines[m.from], &m.chance)
		}
	case errors.Is(err, antientropy.ErrOwnOrigin):
	case errors.Is(err, antientropy.ErrForgotten):
		w.tellOutcast(m)
	case p.m.faulty:
		w.failed(p, "merge", err)
	default:
		w.fail("I14", "%s gets a page of %s: expected it to be taken, got %v", p.m.name, w.machines[m.from].name, err)
	}
}

// tellOutcast brings the refusal of a message back to its sender.
func (w *world) tellOutcast(m *message) {
	if from := w.machines[m.from].proc; from != nil && !w.cut[m.to][m.from] && from.node == w.machines[m.from].disk.node && w.forgotten(from.node) {
		w.outcast(from)
	}
}

// learnPage raises what the ledger says the process knows.
func (w *world) learnPage(p *process, page *antientropy.Page) {
	w.noteHeard(p, page)
	i, ok := w.ledger.runOf[page.Run.Origin]
	if !ok {
		w.fail("I5", "%s takes a page: expected one of a run that once was, got %v", p.m.name, page.Run)
		return
	}
	run := w.ledger.runs[i]
	for j := range page.Entries {
		e := &page.Entries[j]
		if e.Kind == crdt.KindRegister {
			w.learnRegister(p, e)
			continue
		}
		k := w.ledger.key(e.Kind, e.Key)
		if k < 0 {
			continue
		}
		place := run.find(k, e.Row)
		if place == 0 {
			w.fail("I5", "%s is sent a row of %s for %s: expected one that it wrote, got %s at seq %d", p.m.name, run.name, w.keyName(k), rowText(e.Row), e.Row.Seq)
			return
		}
		if p.know.learn(i, k, place) {
			w.news = true
			if page.From != page.Run.Node {
				w.coverage.hit(covRelayed)
			}
		}
	}
}

func (w *world) learnRegister(p *process, e *crdt.Entry) {
	key := w.ledger.regs.key(e.Key)
	place := w.ledger.regs.find(key, &e.Register)
	if place == 0 {
		w.fail("I6", "%s is sent register %q: expected a value that somebody wrote, got version %v", p.m.name, e.Key, e.Register.Version)
		return
	}
	if p.regs.learn(&w.ledger.regs, key, place) {
		w.news = true
		w.forgetVoid(p)
	}
}

func (w *world) opPull(m *machine, op *Op, c *chance) {
	if op.P != op.M {
		w.pull(m.proc, w.machines[op.P], c)
	}
}

// pull asks a peer for all that the process lacks.
func (w *world) pull(p *process, from *machine, c *chance) {
	body := w.encode(p.rep.PullRequest(w.instant(p)))
	w.send(&message{kind: msgPull, from: p.m.id, to: from.id, body: body, chance: c.fork()})
}

func (w *world) deliverPull(p *process, m *message) {
	q, err := antientropy.DecodePull(m.body)
	if !w.decoded(m, err) {
		return
	}
	err = p.rep.AnswerPull(w.instant(p), q, func(page *antientropy.Page) error {
		w.checkLeaving(p, page)
		w.send(&message{kind: msgPulled, from: m.to, to: m.from, body: w.encode(page), chance: m.chance.fork()})
		return nil
	})
	switch {
	case errors.Is(err, antientropy.ErrForgotten):
		w.tellOutcast(m)
		return
	case err != nil && p.m.faulty:
		w.failed(p, "pull", err)
		return
	case err != nil:
		w.fail("I14", "%s is asked by %s what it lacks: expected an answer, got %v", p.m.name, w.machines[m.from].name, err)
		return
	}
	ack := p.rep.Ack(w.instant(p))
	w.send(&message{kind: msgAck, from: m.to, to: m.from, body: w.encode(&ack), chance: m.chance.fork()})
}
