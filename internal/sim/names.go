package sim

import (
	"fmt"
	"strings"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// keyName tells a counter key by what people call it.
func (w *world) keyName(k int) string { return entryName(w.ledger.keys[k].kind, w.ledger.keys[k].key) }

func entryName(kind crdt.Kind, key string) string {
	switch kind {
	case crdt.KindBucket:
		b, _ := crdt.ParseBucketKey(key)
		if b.Inline != "" {
			b.Agent += fmt.Sprintf("/%x", b.Inline)
		}
		return withEpoch(b.Agent, b.Epoch)
	case crdt.KindCounter:
		c, _ := crdt.ParseCounterKey(key)
		return withEpoch(c.Name, c.Epoch)
	}
	r, _ := crdt.ParseRegisterKey(key)
	return string(r.Space) + ":" + r.Name
}

func withEpoch(name string, epoch crdt.HLC) string {
	if epoch == 0 {
		return name
	}
	return fmt.Sprintf("%s (since %v)", name, epoch)
}

func (w *world) entryNames(pages []*antientropy.Page) string {
	var b strings.Builder
	for _, p := range pages {
		b.WriteString(" [")
		for i := range p.Entries {
			e := &p.Entries[i]
			fmt.Fprintf(&b, " %d: %s", e.Seq(), w.entryName(e))
			if e.Kind != crdt.KindRegister {
				fmt.Fprintf(&b, " %s", rowText(e.Row))
			}
		}
		b.WriteString(" ]")
		if p.Complete {
			fmt.Fprintf(&b, " up to %d", p.Upto)
		}
	}
	return b.String()
}

func (w *world) entryName(e *crdt.Entry) string {
	if r, err := crdt.ParseRegisterKey(e.Key); e.Kind == crdt.KindRegister && err == nil && r.Space == crdt.SpaceMember {
		if n, err := crdt.ParseNodeID(r.Name); err == nil {
			return fmt.Sprintf("%s is %s", w.nodeName(n), e.Register.Value)
		}
	}
	return entryName(e.Kind, e.Key)
}

// nodeName tells an identity by its first run: "b1's".
func (w *world) nodeName(n crdt.NodeID) string {
	for _, r := range w.ledger.runs {
		if r.node == n {
			return "the node of " + r.name
		}
	}
	return n.String()
}

// rowText writes a bucket's row in tokens, as far as they are whole.
func rowText(r crdt.Row) string {
	return tokens(amount{r.Consumed, r.Refunded})
}

func tokens(a amount) string {
	if a.refunded == 0 {
		return tokenText(a.consumed)
	}
	return tokenText(a.consumed) + "−" + tokenText(a.refunded)
}

func tokenText(n uint64) string {
	if n%ratelimit.Token == 0 {
		return fmt.Sprint(n / ratelimit.Token)
	}
	return fmt.Sprintf("%dµ", n)
}

func (w *world) pageName(p *antientropy.Page, m *message) string {
	verb := map[msgKind]string{msgPush: "pushed", msgPulled: "pulled"}[m.kind]
	return fmt.Sprintf("%s from %s: %s after %d%s", verb, w.machines[m.from].name, w.runName(p.Run.Origin), p.AfterSeq,
		w.entryNames([]*antientropy.Page{p}))
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func (w *world) cutName() string {
	var b strings.Builder
	for i := range w.cut {
		for j := range w.cut[i] {
			if w.cut[i][j] {
				fmt.Fprintf(&b, " %s→%s", w.machines[i].name, w.machines[j].name)
			}
		}
	}
	return b.String()
}

// slots reads the rows a machine has on disk under a key.
func (w *world) slots(m *machine, k int) []storage.Slot {
	var cell storage.Cell
	_, err := m.proc.store.Cell(w.ledger.keys[k].kind, w.ledger.keys[k].key, &cell)
	w.must(err)
	return cell.Slots
}
