package antientropy

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/openclaw/clawd/crdt"
)

// The JSON form of the messages carries the same facts as the binary one, for
// people with curl. Ids and clocks are 16 hex digits. A name is a string; one
// that is no UTF-8 is an object with its bytes, {"base64":"…"}.

// text is a name as JSON.
type text string

type bytesJSON struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON keeps every byte, which a JSON string cannot.
func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(bytesJSON{[]byte(t)})
}

// UnmarshalJSON reads either form.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var raw bytesJSON
		err := json.Unmarshal(b, &raw)
		*t = text(raw.Base64)
		return err
	}
	return json.Unmarshal(b, (*string)(t))
}

type pageJSON struct {
	Cluster   text        `json:"cluster"`
	From      crdt.NodeID `json:"from"`
	Clock     crdt.HLC    `json:"clock"`
	Run       runJSON     `json:"run"`
	Session   string      `json:"session"`
	FromSeq   uint64      `json:"from_seq"`
	AfterSeq  uint64      `json:"after_seq"`
	Upto      uint64      `json:"upto,omitempty"`
	Stable    int64       `json:"stable_ms,omitempty"`
	Complete  bool        `json:"complete"`
	Collected bool        `json:"collected,omitempty"`
	Entries   []entryJSON `json:"entries"`
}

type runJSON struct {
	Origin   crdt.Origin `json:"origin"`
	Node     crdt.NodeID `json:"node"`
	Name     text        `json:"name,omitempty"`
	Started  crdt.HLC    `json:"started"`
	SealedAt int64       `json:"sealed_at_ms,omitempty"`
	Final    uint64      `json:"final,omitempty"`
}

type entryJSON struct {
	Kind     string        `json:"kind"`
	Bucket   *bucketJSON   `json:"bucket,omitempty"`
	Counter  *counterJSON  `json:"counter,omitempty"`
	Usage    *usageJSON    `json:"usage,omitempty"`
	Key      *registerKey  `json:"key,omitempty"`
	Row      *rowJSON      `json:"row,omitempty"`
	Register *registerJSON `json:"register,omitempty"`
}

type bucketJSON struct {
	Tenant text     `json:"tenant"`
	Agent  text     `json:"agent"`
	Epoch  crdt.HLC `json:"epoch,omitempty"`
	Inline []byte   `json:"inline,omitempty"`
}

type counterJSON struct {
	Tenant text     `json:"tenant"`
	Name   text     `json:"name"`
	Epoch  crdt.HLC `json:"epoch,omitempty"`
}

type usageJSON struct {
	Tenant text   `json:"tenant"`
	Agent  text   `json:"agent"`
	Day    uint32 `json:"day"`
	Meter  byte   `json:"meter"`
	Model  text   `json:"model"`
	Price  text   `json:"price,omitempty"`
	From   int64  `json:"from_ms,omitempty"`
}

type registerKey struct {
	Space  text `json:"space"`
	Tenant text `json:"tenant,omitempty"`
	Name   text `json:"name"`
}

type rowJSON struct {
	Birth    uint64 `json:"birth"`
	Consumed uint64 `json:"consumed"`
	Refunded uint64 `json:"refunded,omitempty"`
	TS       int64  `json:"ts_ms"`
	Seq      uint64 `json:"seq"`
}

type registerJSON struct {
	Value     []byte      `json:"value,omitempty"`
	Meta      text        `json:"meta,omitempty"`
	Deleted   bool        `json:"deleted,omitempty"`
	Version   crdt.HLC    `json:"version"`
	Writer    crdt.NodeID `json:"writer"`
	ExpiresAt int64       `json:"expires_at_ms,omitempty"`
	Gen       uint32      `json:"gen,omitempty"`
	Seq       uint64      `json:"seq"`
}

// JSON encodes the page.
func (p *Page) JSON() ([]byte, error) {
	j := pageJSON{
		Cluster: text(p.Cluster), From: p.From, Clock: p.Clock, Run: runToJSON(p.Run), Session: fmt.Sprintf("%016x", p.Session),
		FromSeq: p.FromSeq, AfterSeq: p.AfterSeq, Upto: p.Upto, Stable: p.Stable, Complete: p.Complete, Collected: p.Collected, Entries: []entryJSON{},
	}
	for i := range p.Entries {
		e, err := entryToJSON(&p.Entries[i])
		if err != nil {
			return nil, err
		}
		j.Entries = append(j.Entries, e)
	}
	return json.Marshal(j)
}

// DecodePageJSON reads a page and checks it as [DecodePage] does.
func DecodePageJSON(b []byte) (*Page, error) {
	var j pageJSON
	if err := decodeStrict(b, &j); err != nil {
		return nil, err
	}
	if len(j.Entries) > MaxPageEntries || len(j.Cluster) > MaxName || len(j.Run.Name) > MaxName {
		return nil, fmt.Errorf("%w: too large", ErrMalformed)
	}
	session, err := parseSession(j.Session)
	if err != nil {
		return nil, err
	}
	p := &Page{
		Cluster: string(j.Cluster), From: j.From, Clock: j.Clock, Run: j.Run.run(), Session: session,
		FromSeq: j.FromSeq, AfterSeq: j.AfterSeq, Upto: j.Upto, Stable: j.Stable, Complete: j.Complete, Collected: j.Collected,
	}
	for i := range j.Entries {
		e, err := j.Entries[i].entry()
		if err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", ErrMalformed, i, err)
		}
		if e.Kind == crdt.KindRegister {
			e.Register.Origin = p.Run.Origin
		}
		p.Entries = append(p.Entries, e)
	}
	return p, p.Check()
}

func parseSession(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 8 {
		return 0, fmt.Errorf("%w: session must be 16 hex digits", ErrMalformed)
	}
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, nil
}

func runToJSON(r crdt.Run) runJSON {
	return runJSON{r.Origin, r.Node, text(r.Name), r.Started, r.SealedAt, r.Final}
}

func (j runJSON) run() crdt.Run {
	return crdt.Run{Origin: j.Origin, Node: j.Node, Name: string(j.Name), Started: j.Started, SealedAt: j.SealedAt, Final: j.Final}
}

func entryToJSON(e *crdt.Entry) (entryJSON, error) {
	j := entryJSON{Kind: e.Kind.String()}
	switch e.Kind {
	case crdt.KindBucket:
		k, err := crdt.ParseBucketKey(e.Key)
		if err != nil {
			return j, err
		}
		j.Bucket = &bucketJSON{text(k.Tenant), text(k.Agent), k.Epoch, []byte(k.Inline)}
	case crdt.KindCounter:
		k, err := crdt.ParseCounterKey(e.Key)
		if err != nil {
			return j, err
		}
		j.Counter = &counterJSON{text(k.Tenant), text(k.Name), k.Epoch}
	case crdt.KindUsage:
		k, err := crdt.ParseUsageKey(e.Key)
		if err != nil {
			return j, err
		}
		j.Usage = &usageJSON{text(k.Tenant), text(k.Agent), k.Day, k.Meter, text(k.Model), text(k.Price), k.From}
	case crdt.KindRegister:
		k, err := crdt.ParseRegisterKey(e.Key)
		if err != nil {
			return j, err
		}
		g := &e.Register
		j.Key = &registerKey{text([]byte{k.Space}), text(k.Tenant), text(k.Name)}
		j.Register = &registerJSON{g.Value, text(g.Meta), g.Deleted, g.Version, g.Writer, g.ExpiresAt, g.Gen, g.Seq}
		return j, nil
	}
	r := e.Row
	j.Row = &rowJSON{r.Birth, r.Consumed, r.Refunded, r.TS, r.Seq}
	return j, nil
}

func (j *entryJSON) entry() (crdt.Entry, error) {
	var e crdt.Entry
	switch {
	case j.Kind == crdt.KindBucket.String() && j.Bucket != nil && j.Row != nil:
		e.Kind = crdt.KindBucket
		e.Key = crdt.BucketKey{Tenant: string(j.Bucket.Tenant), Agent: string(j.Bucket.Agent), Epoch: j.Bucket.Epoch, Inline: string(j.Bucket.Inline)}.Encode()
	case j.Kind == crdt.KindCounter.String() && j.Counter != nil && j.Row != nil:
		e.Kind = crdt.KindCounter
		e.Key = crdt.CounterKey{Tenant: string(j.Counter.Tenant), Name: string(j.Counter.Name), Epoch: j.Counter.Epoch}.Encode()
	case j.Kind == crdt.KindUsage.String() && j.Usage != nil && j.Row != nil:
		u := j.Usage
		e.Kind = crdt.KindUsage
		e.Key = crdt.UsageKey{
			Tenant: string(u.Tenant), Agent: string(u.Agent), Day: u.Day, Meter: u.Meter,
			Model: string(u.Model), Price: string(u.Price), From: u.From,
		}.Encode()
	case j.Kind == crdt.KindRegister.String() && j.Key != nil && len(j.Key.Space) == 1 && j.Register != nil:
		g := j.Register
		e.Kind = crdt.KindRegister
		e.Key = crdt.RegisterKey{Space: j.Key.Space[0], Tenant: string(j.Key.Tenant), Name: string(j.Key.Name)}.Encode()
		e.Register = crdt.Register{
			Value: g.Value, Meta: string(g.Meta), Deleted: g.Deleted, Version: g.Version, Writer: g.Writer,
			ExpiresAt: g.ExpiresAt, Gen: g.Gen, Seq: g.Seq,
		}
		return e, nil
	default:
		return e, fmt.Errorf("kind %q without the members of its kind", j.Kind)
	}
	e.Row = crdt.Row{Birth: j.Row.Birth, Consumed: j.Row.Consumed, Refunded: j.Row.Refunded, TS: j.Row.TS, Seq: j.Row.Seq}
	return e, nil
}

type ackJSON struct {
	From    crdt.NodeID            `json:"from"`
	Clock   crdt.HLC               `json:"clock"`
	Durable map[crdt.Origin]uint64 `json:"durable"`
}

// JSON encodes the acknowledgement.
func (a *Ack) JSON() ([]byte, error) { return json.Marshal(ackJSON{a.From, a.Clock, a.Durable}) }

// DecodeAckJSON reads an acknowledgement.
func DecodeAckJSON(b []byte) (*Ack, error) {
	var j ackJSON
	if err := decodeStrict(b, &j); err != nil {
		return nil, err
	}
	return &Ack{From: j.From, Clock: j.Clock, Durable: j.Durable}, nil
}

type pullJSON struct {
	Cluster text                   `json:"cluster"`
	Run     runJSON                `json:"run"`
	Clock   crdt.HLC               `json:"clock"`
	Have    map[crdt.Origin]uint64 `json:"have"`
	Durable map[crdt.Origin]uint64 `json:"durable,omitempty"`
}

// JSON encodes the request.
func (p *Pull) JSON() ([]byte, error) {
	return json.Marshal(pullJSON{text(p.Cluster), runToJSON(p.Run), p.Clock, p.Have, p.Durable})
}

// DecodePullJSON reads a request.
func DecodePullJSON(b []byte) (*Pull, error) {
	var j pullJSON
	if err := decodeStrict(b, &j); err != nil {
		return nil, err
	}
	p := &Pull{Cluster: string(j.Cluster), Run: j.Run.run(), Clock: j.Clock, Have: j.Have, Durable: j.Durable}
	return p, p.check()
}

type digestJSON struct {
	From    crdt.NodeID            `json:"from"`
	Vector  map[crdt.Origin]uint64 `json:"vector"`
	Buckets []digestBucketJSON     `json:"buckets"`
}

// Only buckets that hold something are spelt out, under their number.
type digestBucketJSON struct {
	Bucket int    `json:"bucket"`
	Sum    string `json:"sum"`
	Count  uint64 `json:"count"`
}

// JSON encodes the digest.
func (g *Digest) JSON() ([]byte, error) {
	j := digestJSON{From: g.From, Vector: g.Vector, Buckets: []digestBucketJSON{}}
	for i, b := range g.Buckets {
		if b.Count > 0 {
			j.Buckets = append(j.Buckets, digestBucketJSON{i, hex.EncodeToString(b.Sum[:]), b.Count})
		}
	}
	return json.Marshal(j)
}

// decodeStrict refuses unknown members and anything after the document.
func decodeStrict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %s", ErrMalformed, strings.TrimPrefix(err.Error(), "json: "))
	}
	if d.More() {
		return fmt.Errorf("%w: more than one document", ErrMalformed)
	}
	return nil
}
