package antientropy

import "github.com/openclaw/clawd/crdt"

// Pager cuts a scan of one origin's changes into the pages of one session.
// The scan must be of one consistent view, in ascending seq.
type Pager struct {
	// Head is the page every page starts as; the pager fills in the rest.
	Head Page
	// Rows and Bytes bound a page; 0 means MaxPageEntries and 256 KiB.
	Rows, Bytes int
	// Emit takes each page. It must not keep the page's entries.
	Emit func(*Page) error

	page  Page
	size  int
	begun bool
}

const defaultPageBytes = 256 << 10

// Add puts one more entry into the session.
func (g *Pager) Add(e crdt.Entry) error {
	g.begin()
	size := len(e.Key) + len(e.Register.Value) + 24
	if len(g.page.Entries) > 0 && (len(g.page.Entries) >= g.rows() || g.size+size > g.bytes()) {
		if err := g.Emit(&g.page); err != nil {
			return err
		}
		g.next()
	}
	g.page.Entries = append(g.page.Entries, e)
	g.size += size
	return nil
}

// Close ends the session: the receiver then knows the origin up to upto.
func (g *Pager) Close(upto uint64, stable int64) error {
	g.begin()
	g.page.Complete, g.page.Upto, g.page.Stable = true, upto, stable
	return g.Emit(&g.page)
}

func (g *Pager) begin() {
	if !g.begun {
		g.begun = true
		g.page = g.Head
		g.page.AfterSeq = g.Head.FromSeq
	}
}

func (g *Pager) next() {
	after := g.page.LastSeq()
	entries := g.page.Entries[:0]
	g.page = g.Head
	g.page.AfterSeq, g.page.Entries, g.size = after, entries, 0
}

func (g *Pager) rows() int {
	if g.Rows > 0 && g.Rows < MaxPageEntries {
		return g.Rows
	}
	return MaxPageEntries
}

func (g *Pager) bytes() int {
	if g.Bytes > 0 {
		return g.Bytes
	}
	return defaultPageBytes
}
