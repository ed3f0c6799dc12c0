package node

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
)

// stranger is a peer that the test plays: one run of one node that counts for
// agent x.
type stranger struct {
	run crdt.Run
}

func newStranger() *stranger {
	return &stranger{crdt.Run{Origin: 0xabc, Node: 0xdef, Name: "s", Started: crdt.NewHLC(1_000, 0)}}
}

// page is everything of the stranger after a seq: one row with its total.
func (s *stranger) page(after, seq, consumed uint64) *antientropy.Page {
	return &antientropy.Page{
		Cluster: DefaultCluster, From: s.run.Node, Clock: crdt.NewHLC(2_000, 0), Run: s.run,
		Session: seq, FromSeq: after, AfterSeq: after, Upto: seq, Stable: 2_000, Complete: true,
		Entries: []crdt.Entry{{
			Kind: crdt.KindBucket, Key: crdt.BucketKey{Tenant: "default", Agent: "x"}.Encode(),
			Row: crdt.Row{Birth: 1, Consumed: consumed * microTokens, TS: 2_000, Seq: seq},
		}},
	}
}

// post sends one message to the peer listener.
func postPeer(t *testing.T, n *Node, path, contentType string, body []byte) (int, []byte) {
	t.Helper()
	resp, err := testClient.Post("http://"+n.PeerAddr()+path, contentType, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func framed(pages ...*antientropy.Page) []byte { return frame(pages)[0] }

func TestMergeTakesWhatFitsAndChangesNothingOtherwise(t *testing.T) {
	t.Parallel()
	n := open(t, peered(t, "a"))
	waitReady(t, n)
	s := newStranger()
	flipped := framed(s.page(0, 1, 5))
	flipped[len(flipped)/2] ^= 1
	foreign := s.page(0, 1, 5)
	foreign.Cluster = "other"
	relayed := s.page(0, 1, 5)
	relayed.From = 0x123
	forged := s.page(0, 1, 5)
	forged.Run = n.replica.Run()
	forged.From = forged.Run.Node
	disordered := s.page(3, 3, 5)
	whole := framed(s.page(0, 1, 5))

	for _, c := range []struct {
		name   string
		body   []byte
		status int
		total  uint64 // of x afterwards
	}{
		{"nothing", nil, http.StatusBadRequest, 0},
		{"noise", []byte(strings.Repeat("noise", 100)), http.StatusBadRequest, 0},
		{"a bit flipped", flipped, http.StatusBadRequest, 0},
		{"cut short", whole[:len(whole)-3], http.StatusBadRequest, 0},
		{"of another cluster", framed(foreign), http.StatusForbidden, 0},
		{"of another node's run", framed(relayed), http.StatusForbidden, 0},
		{"of the receiver's own run", framed(forged), http.StatusForbidden, 0},
		{"in disorder", framed(disordered), http.StatusBadRequest, 0},
		{"after a gap", framed(s.page(7, 8, 9)), http.StatusConflict, 0},
		{"the first", framed(s.page(0, 1, 5)), http.StatusOK, 5},
		{"again", framed(s.page(0, 1, 5)), http.StatusOK, 5},
		{"two at once", framed(s.page(1, 2, 6), s.page(2, 3, 8)), http.StatusOK, 8},
		{"an old one, late", framed(s.page(0, 2, 6)), http.StatusOK, 8},
	} {
		status, answer := postPeer(t, n, "/v1/merge", wire.ContentTypeMerge, c.body)
		if status != c.status {
			t.Errorf("%s: answered %d %s, want %d", c.name, status, answer, c.status)
		}
		if got := consumed(t, n, "x"); got != c.total {
			t.Errorf("%s: %d are counted, want %d", c.name, got, c.total)
		}
		if status == http.StatusOK || status == http.StatusConflict {
			if _, err := antientropy.DecodeAck(answer); err != nil {
				t.Errorf("%s: the answer is no acknowledgement: %v", c.name, err)
			}
		}
	}
	for reason, want := range map[string]float64{"foreign_cluster": 1, "foreign_origin": 1, "own_origin": 1, "malformed": 4, rejectOther: 0} {
		if got := testutil.ToFloat64(n.metrics.rejects.WithLabelValues(reason)); got != want {
			t.Errorf("rejected as %s: %v, want %v", reason, got, want)
		}
	}
	if got := testutil.ToFloat64(n.metrics.gaps); got != 1 {
		t.Errorf("%v gaps, want 1", got)
	}
}

func TestAMessageThatIsTooLargeIsNotEvenRead(t *testing.T) {
	t.Parallel()
	n := open(t, peered(t, "a"))
	waitReady(t, n)
	// The refusal may come while the body is still being sent, which then fails.
	resp, err := testClient.Post("http://"+n.PeerAddr()+"/v1/merge", wire.ContentTypeMerge, bytes.NewReader(make([]byte, 5<<20)))
	if err != nil {
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d, want 413", resp.StatusCode)
	}
}

func TestTheProtocolCanBeSpokenInJSON(t *testing.T) {
	t.Parallel()
	n := open(t, peered(t, "a"))
	waitReady(t, n)
	s := newStranger()
	page, err := s.page(0, 1, 5).JSON()
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := postPeer(t, n, "/v1/merge", wire.ContentTypeJSON, page); status != http.StatusOK || !bytes.Contains(answer, []byte("durable")) {
		t.Fatalf("merge answered %d %s", status, answer)
	}
	settle(t, n)
	request := `{"cluster":"clawd","run":{"origin":"0000000000000777","node":"0000000000000888","name":"me","started":"1.0"},` +
		`"clock":"1.0","have":{},"durable":{}}`
	status, answer := postPeer(t, n, "/v1/pull", wire.ContentTypeJSON, []byte(request))
	if status != http.StatusOK {
		t.Fatalf("pull answered %d %s", status, answer)
	}
	lines := bytes.Split(bytes.TrimSpace(answer), []byte("\n"))
	got, err := antientropy.DecodePageJSON(lines[0])
	last := lines[len(lines)-1]
	if err != nil || !bytes.Contains(last, []byte("durable")) || len(got.Entries) != 1 || got.Entries[0].Row.Consumed != 5*microTokens {
		t.Errorf("%d lines: %s, %v", len(lines), answer, err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.PeerAddr()+"/v1/digest", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", wire.ContentTypeJSON)
	resp, err := testClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var digest struct {
		Buckets []struct{ Count int }
	}
	if err := json.NewDecoder(resp.Body).Decode(&digest); err != nil || len(digest.Buckets) != 1 {
		t.Errorf("the digest has %d buckets, %v", len(digest.Buckets), err)
	}
	if status, answer := postPeer(t, n, "/v1/bucket", wire.ContentTypeJSON, []byte("1024")); status != http.StatusBadRequest {
		t.Errorf("a bucket that does not exist answered %d %s", status, answer)
	}
}

func TestANodeThatHasNotBegunHandsNothingOut(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.Join = []string{"127.0.0.1:1"}
	o.SyncWait = 10 * patience
	n := open(t, o)
	for _, path := range []string{"/v1/digest", "/v1/snapshot"} {
		resp, err := testClient.Get("http://" + n.PeerAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s answered %d, want 503", path, resp.StatusCode)
		}
	}
	if status, _ := postPeer(t, n, "/v1/merge", wire.ContentTypeMerge, framed(newStranger().page(0, 1, 5))); status != http.StatusServiceUnavailable {
		t.Errorf("merge answered %d, want 503", status)
	}
	if status, c := call[wire.Cluster](t, http.MethodGet, n.HTTPAddr(), "/v1/cluster", nil); status != http.StatusOK || len(c.Members) != 1 || c.Members[0].State != wire.StateJoining {
		t.Errorf("/v1/cluster answered %d %+v", status, c)
	}
}
