package replica

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/rating"
)

// A usage event is billed once in the cluster by claims. Each node that accepts
// it writes a register of its own, which says what was used and whether this
// node's rows bill it. When a node learns that another has claimed the same
// event, both find the same winner among the claims they know, and the loser
// takes its own bill back. Nobody corrects for another, so that each correction
// happens once; and a claim and the rows that it speaks of change in one flush,
// so that no crash parts them.

// claim is one node's claim of one event.
type claim struct {
	node   crdt.NodeID
	at     crdt.HLC // when it was made
	billed bool
	event  UsageEvent // without the id
	price  priceRef
}

// priceRef names a version of a price; the zero value is none.
type priceRef struct {
	pattern string
	from    int64
}

const claimFormat = 1

func (c *claim) encode() []byte {
	b := []byte{claimFormat, 0}
	if c.billed {
		b[1] = 1
	}
	b = binary.BigEndian.AppendUint64(b, uint64(c.at))
	b = binary.AppendUvarint(b, uint64(c.event.OccurredAt))
	b = crdt.AppendString(b, c.event.Agent)
	b = crdt.AppendString(b, c.event.Model)
	for _, q := range quantities(&c.event.Usage) {
		b = binary.AppendUvarint(b, q)
	}
	b = crdt.AppendString(b, c.price.pattern)
	return binary.AppendUvarint(b, uint64(c.price.from))
}

func decodeClaim(node crdt.NodeID, value []byte) (c claim, ok bool) {
	d := crdt.NewReader(value)
	format, flags := d.Byte(), d.Byte()
	c = claim{node: node, billed: flags == 1, at: crdt.HLC(d.Uint64())}
	c.event.OccurredAt = int64(d.Uvarint())
	c.event.Agent = d.String(crdt.MaxNameBytes)
	c.event.Model = d.String(crdt.MaxNameBytes)
	var q [len(meterFields)]uint64
	for i := range q {
		q[i] = d.Uvarint()
	}
	c.event.Usage = usageOf(q)
	c.price.pattern = d.String(crdt.MaxNameBytes)
	c.price.from = int64(d.Uvarint())
	return c, d.End() == nil && format == claimFormat && flags <= 1
}

// eventHash stands for an event's id: ids are as long as their senders like.
type eventHash string

func hashOf(id string) eventHash {
	sum := sha256.Sum256([]byte(id))
	return eventHash(base64.RawURLEncoding.EncodeToString(sum[:16]))
}

func claimKey(tenant string, h eventHash, node crdt.NodeID) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpaceClaim, Tenant: tenant, Name: string(h) + "/" + node.String()}
}

// parseClaimName is the reverse of claimKey.
func parseClaimName(name string) (h eventHash, node crdt.NodeID, ok bool) {
	i := len(name) - 17
	if i < 1 || name[i] != '/' {
		return "", 0, false
	}
	node, err := crdt.ParseNodeID(name[i+1:])
	return eventHash(name[:i]), node, err == nil
}

// claimsOf reads all claims of an event that this node knows. Called with the
// merge lock held.
func (r *Replica) claimsOf(now Instant, tenant string, h eventHash) ([]claim, error) {
	var found []claim
	for _, n := range append(sortedKeys(r.peers), r.self) {
		reg, ok, err := r.register(claimKey(tenant, h, n).Encode())
		if err != nil {
			return nil, err
		}
		if !ok || !reg.Visible(now.Wall) {
			continue
		}
		if c, ok := decodeClaim(n, reg.Value); ok {
			found = append(found, c)
		} else {
			r.counters.unreadable.Add(1)
		}
	}
	return found, nil
}

// winner is the claim that bills the event: the earliest, but for this that
// what a member billed that is gone for good stays billed, since nobody can
// take it back.
func (r *Replica) winner(claims []claim) claim {
	stands := func(c *claim) int {
		if c.billed && r.member.gone(c.node) {
			return 0
		}
		return 1
	}
	return slices.MinFunc(claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(stands(&a), stands(&b)), cmp.Compare(a.at, b.at), cmp.Compare(a.node, b.node))
	})
}

// claimChanged looks at a peer's claim. Called with the merge lock held.
func (r *Replica) claimChanged(now Instant, key crdt.RegisterKey, reg crdt.Register) {
	h, node, ok := parseClaimName(key.Name)
	if !ok || node == r.self || !reg.Visible(now.Wall) {
		return
	}
	if err := r.resolve(now, key.Tenant, h); err != nil {
		r.store.Fail(err) // it would stay billed twice
	}
}

// resolve brings the own claim of an event in line with who wins it. Called
// with the merge lock held.
func (r *Replica) resolve(now Instant, tenant string, h eventHash) error {
	claims, err := r.claimsOf(now, tenant, h)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(claims, func(c claim) bool { return c.node == r.self })
	if i < 0 {
		return nil
	}
	own := claims[i]
	bills := r.winner(claims).node == r.self
	if own.billed == bills {
		return nil
	}
	own.billed = bills
	if err := r.addUsage(now, tenant, &own, !bills); err != nil {
		return err
	}
	r.counters.usageCorrected.Add(1)
	return r.writeClaim(now, tenant, h, &own)
}

// writeClaim writes the own claim of an event. Called with the merge lock held,
// in the same hold as addUsage: that makes them one flush.
func (r *Replica) writeClaim(now Instant, tenant string, h eventHash, c *claim) error {
	name := claimKey(tenant, h, r.self).Encode()
	have, _, err := r.register(name)
	if err != nil {
		return err
	}
	r.stage(now, name, crdt.Register{
		Value: c.encode(), ExpiresAt: c.at.WallMS() + UsageDedupe.Milliseconds(),
		Version: r.clock.NowAfter(now.Wall, have.Version), Writer: r.self, Origin: r.run,
	}, true, true)
	return nil
}

// meterFields are the quantities of a usage in the order of their meter bytes,
// which begin at 1. The order is part of the format.
var meterFields = [...]func(u *rating.Usage) *uint64{
	func(u *rating.Usage) *uint64 { return &u.InputTokens },
	func(u *rating.Usage) *uint64 { return &u.CachedInputTokens },
	func(u *rating.Usage) *uint64 { return &u.OutputTokens },
	func(u *rating.Usage) *uint64 { return &u.ReasoningTokens },
	func(u *rating.Usage) *uint64 { return &u.Requests },
}

func quantities(u *rating.Usage) (q [len(meterFields)]uint64) {
	for i, field := range meterFields {
		q[i] = *field(u)
	}
	return q
}

func usageOf(q [len(meterFields)]uint64) (u rating.Usage) {
	for i, field := range meterFields {
		*field(&u) = q[i]
	}
	return u
}
