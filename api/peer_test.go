package api_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
)

func peerBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{contract: loadContract(t), t: t, backend: newDouble()}
	var err error
	if b.handler, err = api.NewPeer(api.Options{Peer: b.backend}); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPeerMessages: bodies go through as bytes, and an answer has the form of its question.
func TestPeerMessages(t *testing.T) {
	b := peerBench(t)
	binary := "Content-Type: " + wire.ContentTypeMerge
	for _, x := range []struct {
		line    string
		body    string
		header  string
		enc     api.Encoding
		answers string
	}{
		{"POST /v1/merge", "\x01\x00\xffpage", binary, api.Binary, wire.ContentTypeMerge},
		{"POST /v1/merge", "page", "Content-Type: application/x-clawd-merge", api.Binary, wire.ContentTypeMerge},
		{"POST /v1/merge", `{"rows":[]}`, "Content-Type: application/json", api.JSON, wire.ContentTypeJSON},
		{"POST /v1/pull", "vv", binary, api.Binary, wire.ContentTypeMerge},
		{"POST /v1/pull", "{}", "Content-Type: application/json", api.JSON, wire.ContentTypeJSON},
		{"POST /v1/bucket", "{}", "Content-Type: application/json", api.JSON, wire.ContentTypeJSON},
		{"GET /v1/digest", "", "Accept: application/json", api.JSON, wire.ContentTypeJSON},
		{"GET /v1/digest", "", "Accept: */*", api.Binary, wire.ContentTypeMerge},
		{"GET /v1/snapshot", "", "Accept: text/html, application/x-clawd-merge;v=1, application/json", api.Binary, wire.ContentTypeMerge},
		{"GET /v1/snapshot", "", "Accept: text/html, application/json;q=0.5", api.JSON, wire.ContentTypeJSON},
	} {
		b.backend.merged = api.PeerRequest{}
		res, answer := b.do(x.line, x.body, x.header)
		got := b.backend.merged
		if res.StatusCode != 200 || got.Encoding != x.enc || string(got.Body) != x.body || got.Peer != "" {
			t.Errorf("%s %s: %d %s, the backend got %+v", x.line, x.header, res.StatusCode, answer, got)
		}
		if res.Header.Get("Content-Type") != x.answers {
			t.Errorf("%s %s answered in %s, want %s", x.line, x.header, res.Header.Get("Content-Type"), x.answers)
		}
	}
}

func TestPeerRefusals(t *testing.T) {
	b := peerBench(t)
	for _, x := range []bad{
		{"POST /v1/merge", "", []string{"Content-Type: " + wire.ContentTypeMerge}, 400, "body"},
		{"POST /v1/merge", "x", []string{"Content-Type: "}, 415, "Content-Type"},
		{"POST /v1/merge", "x", []string{"Content-Type: application/x-clawd-merge;v=2"}, 415, "Content-Type"},
		{"POST /v1/pull", "x", []string{"Content-Type: text/plain"}, 415, "Content-Type"},
		{"POST /v1/bucket", strings.Repeat("x", 4<<20+1), []string{"Content-Type: " + wire.ContentTypeMerge}, 413, "body"},
		{"POST /v1/merge?x=1", "x", nil, 400, "x"},
		{"GET /v1/digest?shard=1", "", nil, 400, "shard"},
		{"GET /v1/merge", "", nil, 405, ""},
		{"POST /v1/agents/x/consume", "", nil, 404, ""},
	} {
		res, answer := b.do(x.line, x.body, x.headers...)
		if p := problem(t, res, answer); p.Status != x.status || p.Field != x.field {
			t.Errorf("%s %v: %d about %q, want %d about %q", x.line, x.headers, p.Status, p.Field, x.status, x.field)
		}
	}
	if b.backend.calls != 0 {
		t.Errorf("%d refused messages reached the backend", b.backend.calls)
	}
	for err, status := range map[error]int{
		api.Invalid("body", "fails its checksum"): 400, api.ErrForbidden: 403, api.ErrTooLarge: 413,
		api.ErrThrottled: 429, api.ErrUnavailable: 503, api.ErrGap: 409, errors.New("secret"): 500,
	} {
		b.backend.fail = fmt.Errorf("page 7: %w", err)
		res, answer := b.do("POST /v1/merge", "x", "Content-Type: "+wire.ContentTypeMerge)
		if p := problem(t, res, answer); p.Status != status {
			t.Errorf("%v became %d, want %d", err, p.Status, status)
		}
	}
}

// TestPeerGap: the sender learns from where to begin again.
func TestPeerGap(t *testing.T) {
	b := peerBench(t)
	b.backend.gap = []byte("have 5")
	res, answer := b.do("POST /v1/merge", "page", "Content-Type: "+wire.ContentTypeMerge)
	if res.StatusCode != 409 || answer != "have 5" || res.Header.Get("Content-Type") != wire.ContentTypeMerge {
		t.Errorf("a gap answered %d %s %q", res.StatusCode, res.Header.Get("Content-Type"), answer)
	}
}

// TestPeerCut: an answer that fails on its way never looks whole.
func TestPeerCut(t *testing.T) {
	b := peerBench(t)
	b.backend.answer = func(w io.Writer) error {
		_, err := io.WriteString(w, "half an ans")
		return errors.Join(err, errors.New("disk on fire"))
	}
	srv := httptest.NewServer(b.handler)
	res, err := http.Post(srv.URL+"/v1/pull", wire.ContentTypeMerge, strings.NewReader("vv"))
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Error("a failed answer was read without an error")
	}
	srv.Close() // waits for the handler
	b.backend.answer = func(io.Writer) error { return errors.New("disk on fire") }
	res, answer := b.do("GET /v1/snapshot", "")
	if p := problem(t, res, answer); p.Status != 500 || strings.Contains(answer, "fire") {
		t.Errorf("failing before the first byte answered %s", answer)
	}
	b.backend.answer = func(io.Writer) error { return nil }
	if res, answer = b.do("GET /v1/snapshot", ""); res.StatusCode != 200 || answer != "" || res.Header.Get("Content-Type") != wire.ContentTypeMerge {
		t.Errorf("an empty answer is %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
}

// TestPeerName: only a certificate that was verified names a peer.
func TestPeerName(t *testing.T) {
	b := peerBench(t)
	ask := func(state *tls.ConnectionState) string {
		req := httptest.NewRequest(http.MethodPost, "/v1/merge", bytes.NewReader([]byte("page")))
		req.Header.Set("Content-Type", wire.ContentTypeMerge)
		req.TLS = state
		b.handler.ServeHTTP(httptest.NewRecorder(), req)
		return b.backend.merged.Peer
	}
	san := &x509.Certificate{DNSNames: []string{"node-1"}, Subject: pkix.Name{CommonName: "old"}}
	cn := &x509.Certificate{Subject: pkix.Name{CommonName: "node-2"}}
	for want, state := range map[string]*tls.ConnectionState{
		"node-1": {VerifiedChains: [][]*x509.Certificate{{san}}},
		"node-2": {VerifiedChains: [][]*x509.Certificate{{cn}}},
		"":       {PeerCertificates: []*x509.Certificate{san}},
	} {
		if got := ask(state); got != want {
			t.Errorf("peer is %q, want %q", got, want)
		}
	}
}
