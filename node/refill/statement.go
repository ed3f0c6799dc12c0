package refill

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/openclaw/clawd/mlrefill"
)

// told is what the pool has told the others, and when they were heard.
type told struct {
	at   map[uint64]int64 // instant at which each peer was last heard
	sent int64            // instant of the last own statement
}

// Beginning names who began a ledger of a pool: the value of a register.
type Beginning struct {
	Founders []uint64 `json:"founders"`
	First    bool     `json:"first,omitempty"` // its writer knew of none before it
}

// EncodeBeginning and ParseBeginning are the register's form of it.
func EncodeBeginning(b Beginning) ([]byte, error) { return json.Marshal(b) }

// ParseBeginning is the reverse of EncodeBeginning.
func ParseBeginning(value []byte) (b Beginning, err error) {
	if err = json.Unmarshal(value, &b); err == nil && len(b.Founders) == 0 {
		err = fmt.Errorf("refill: a ledger without founders")
	}
	return b, err
}

// StatementName is the name of the register in which node says what it holds of a
// pool; ParseStatementName is the reverse.
func StatementName(pool string, node uint64) string {
	return pool + "/" + strconv.FormatUint(node, 16)
}

// ParseStatementName is the reverse of StatementName.
func ParseStatementName(name string) (pool string, node uint64, ok bool) {
	i := strings.LastIndexByte(name, '/')
	if i <= 0 {
		return "", 0, false
	}
	node, err := strconv.ParseUint(name[i+1:], 16, 64)
	return name[:i], node, err == nil && node != 0
}

func encodeStatement(s mlrefill.Statement) ([]byte, error) { return json.Marshal(s) }

func parseStatement(value []byte, node uint64) (s mlrefill.Statement, ok bool) {
	if json.Unmarshal(value, &s) != nil || s.Node != node || !s.Check() {
		return s, false
	}
	return s, true
}

// A statement is made every second while there is something to say, and now and
// then to say that one is there.
const (
	quietStatement = 10 * second
	peerSilence    = 3 * quietStatement
)

// publishLocked makes the statement of this tick, if one is due.
func (p *Pool) publishLocked(now int64, seconds float64) (mlrefill.Statement, bool) {
	m := p.c.members.Load()
	if p.ledger.Version() == 0 {
		return mlrefill.Statement{}, false
	}
	idle := p.window.offered == 0 && p.last.offered == 0 && p.ledger.Settled() && p.fed.complete == 0 && !p.hungryLocked()
	if m.count() == 1 && p.ledger.Settled() && p.told.sent != 0 || idle && p.told.sent != 0 && now-p.told.sent < quietStatement {
		return mlrefill.Statement{}, false
	}
	p.demand.Advance(p.c.model, now)
	e := p.demand.Expect()
	d := mlrefill.Demand{
		Forecast: e.Mean, Deviation: e.Deviation, Protected: p.shown.Protected,
		Offered: p.window.offered / seconds, Admitted: p.window.admitted / seconds,
	}
	own := 0.0
	if p.fed.heard != 0 && now-p.fed.heard < feedSilence {
		own = p.capacity.Rate()
	}
	level := p.bucket.Level(now, &p.limit, nil)
	s, tokens := p.ledger.Publish(d, p.agreedLocked(now), own, p.fed.complete, level)
	p.bucket.Charge(now, &p.limit, nil, int64(tokens))
	p.told.sent = now
	p.adoptLocked(now)
	return s, true
}

// hungryLocked: a peer expects more than it could have, so this node gives.
func (p *Pool) hungryLocked() bool {
	for _, s := range p.ledger.Peers() {
		if s.Forecast > 0 {
			return true
		}
	}
	return false
}

// agreedLocked is the capacity that all reckon with: the least of the fresh ones.
func (p *Pool) agreedLocked(now int64) float64 {
	capacity := p.capacity.Rate()
	for _, s := range p.ledger.Peers() {
		if s.Capacity > 0 && p.c.fresh(p.told.at[s.Node], now) {
			capacity = min(capacity, s.Capacity)
		}
	}
	return capacity
}

// hear joins what a node said. With restored, it is what was on disk at the start.
func (p *Pool) hear(now int64, s mlrefill.Statement, restored bool) {
	p.gate.Lock()
	defer p.gate.Unlock()
	if s.Node == p.c.opts.Self {
		p.ledger.Restore(s)
		p.adoptLocked(now)
		return
	}
	tokens := p.ledger.Hear(s)
	if restored {
		p.adoptLocked(now)
		return
	}
	if p.told.at == nil {
		p.told.at = make(map[uint64]int64)
	}
	p.told.at[s.Node] = now
	p.adoptLocked(now)
	p.bucket.Refund(now, &p.limit, nil, int64(min(tokens, uint64(full))))
}
