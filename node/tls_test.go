package node

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
)

// selfSigned writes a certificate for 127.0.0.1 and its key, and returns a pool
// that trusts it.
func selfSigned(t *testing.T, f TLSFiles, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "node"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, content := range map[string][]byte{f.Cert: cert, f.Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

func filesIn(t *testing.T) TLSFiles {
	dir := t.TempDir()
	return TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
}

// The same calls over TLS by HTTP/1.1 and HTTP/2, and after the certificate was
// replaced under the running node.
func TestTLSIsServedAndReloaded(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.TLS = filesIn(t)
	pool := selfSigned(t, o.TLS, 1)
	n := open(t, o)
	waitReady(t, n)
	call := func(pool *x509.CertPool, http2 bool) (string, string, error) {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(!http2)
		protocols.SetHTTP2(http2)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, Protocols: protocols}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: patience}
		var texts []string
		proto := ""
		for _, path := range []string{"/v1/agents/x/consume", "/v1/agents/x/consume?tokens=0"} {
			resp, err := client.Post("https://"+n.HTTPAddr()+path, "application/json", strings.NewReader(`{"tokens":1}`))
			if err != nil {
				return "", "", err
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				return "", "", err
			}
			proto = resp.Proto
			texts = append(texts, resp.Status+" "+string(body[:20]))
		}
		return proto, strings.Join(texts, "|"), nil
	}
	first, texts, err := call(pool, false)
	if err != nil || first != "HTTP/1.1" {
		t.Fatal(first, err)
	}
	second, same, err := call(pool, true)
	if err != nil || second != "HTTP/2.0" || same != texts {
		t.Errorf("%s %v: %s, over HTTP/1.1 %s", second, err, same, texts)
	}
	old, err := tls.Dial("tcp", n.HTTPAddr(), &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}) //nolint:gosec // it must be refused
	if err == nil {
		_ = old.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if err := os.WriteFile(n.options.TLS.Cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n.Reload() == nil {
		t.Error("a broken certificate was taken")
	}
	if _, _, err := call(pool, false); err != nil {
		t.Errorf("the old certificate is gone: %v", err)
	}
	renewed := selfSigned(t, n.options.TLS, 2)
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := call(renewed, false); err != nil {
		t.Errorf("the new certificate: %v", err)
	}
	if _, _, err := call(pool, false); err == nil {
		t.Error("the old certificate is still shown")
	}
}

func TestListenersBeyondLoopbackNeedProtection(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{1}, 32)
	files := TLSFiles{Cert: "c", Key: "k"}
	for _, c := range []struct {
		why  string
		o    Options
		want bool
	}{
		{"plain http", Options{HTTPAddr: "0.0.0.0:1"}, false},
		{"tls", Options{HTTPAddr: "0.0.0.0:1", TLS: files}, true},
		{"tls elsewhere", Options{HTTPAddr: "0.0.0.0:1", TLSElsewhere: true}, true},
		{"plain admin", Options{AdminAddr: "0.0.0.0:1"}, false},
		{"peers without a secret", Options{PeerAddr: "0.0.0.0:1", TLS: files}, false},
		{"peers with one", Options{PeerAddr: "0.0.0.0:1", PeerSecret: secret}, true},
		{"a short one", Options{PeerAddr: "0.0.0.0:1", PeerSecret: secret[:31]}, false},
		{"gossip without a key", Options{GossipAddr: "0.0.0.0:1"}, false},
		{"insecure", Options{HTTPAddr: "0.0.0.0:1", PeerAddr: "0.0.0.0:2", GossipAddr: "0.0.0.0:3", Insecure: true}, true},
		{"half of tls", Options{TLS: TLSFiles{Cert: "c"}}, false},
		{"an authority alone", Options{TLS: TLSFiles{ClientCA: "c"}}, false},
	} {
		if err := c.o.Validate(); (err == nil) != c.want {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

func TestSignedCalls(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	secret := bytes.Repeat([]byte{7}, 32)
	a, b := newPeerAuth(secret, clock), newPeerAuth(secret, clock)
	a.self = 42
	request := func(change func(*http.Request)) *http.Request {
		r, err := http.NewRequest(http.MethodPost, "http://b/v1/merge?x=1", strings.NewReader("rows"))
		if err != nil {
			t.Fatal(err)
		}
		a.sign(r, []byte("rows"))
		if change != nil {
			change(r)
		}
		return r
	}
	good := request(nil)
	if node, err := b.check(good); err != nil || node != 42 {
		t.Errorf("%v %v", node, err)
	}
	if _, err := b.check(good); err == nil {
		t.Error("a replay passes")
	}
	for why, change := range map[string]func(*http.Request){
		"no signature":   func(r *http.Request) { r.Header.Del(fieldMAC) },
		"another node":   func(r *http.Request) { r.Header.Set(fieldNode, crdt.NodeID(43).String()) },
		"another time":   func(r *http.Request) { r.Header.Set(fieldTime, "1700000001000") },
		"another nonce":  func(r *http.Request) { r.Header.Set(fieldNonce, "00") },
		"another body":   func(r *http.Request) { r.Header.Set(fieldBody, "00") },
		"another method": func(r *http.Request) { r.Method = http.MethodGet },
		"another target": func(r *http.Request) { r.URL.Path = "/v1/pull" },
	} {
		if _, err := b.check(request(change)); err == nil {
			t.Errorf("%s passes", why)
		}
	}
	late := request(nil)
	early := request(nil)
	now = now.Add(macAge + time.Second)
	if _, err := b.check(late); err == nil {
		t.Error("an old call passes")
	}
	now = now.Add(-2*macAge - 2*time.Second)
	if _, err := b.check(early); err == nil {
		t.Error("a call from the future passes")
	}
	other := newPeerAuth(bytes.Repeat([]byte{8}, 32), clock)
	if _, err := other.check(request(nil)); err == nil {
		t.Error("another secret passes")
	}
}

// A replay is refused for as long as its age would let it pass.
func TestAReplayIsKnownAsLongAsItIsYoung(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a := newPeerAuth(bytes.Repeat([]byte{7}, 32), func() time.Time { return now })
	for offset := time.Duration(0); offset <= 3*macAge; offset += macAge / 3 {
		r, err := http.NewRequest(http.MethodGet, "http://b/v1/digest", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		a.sign(r, nil)
		if _, err := a.check(r); err != nil {
			t.Fatal(err)
		}
		signed := now
		for now.Sub(signed) <= macAge {
			if _, err := a.check(r); err == nil {
				t.Fatalf("a replay after %v passes", now.Sub(signed))
			}
			now = now.Add(macAge / 7)
		}
	}
}

// Nodes with one secret converge; whoever has none, or another, is refused, and
// a member pushes in its own name only.
func TestPeersAuthenticate(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{9}, 32)
	o := peered(t, "a")
	o.PeerSecret = secret
	a := open(t, o)
	o = peered(t, "b", a)
	o.PeerSecret = secret
	b := open(t, o)
	waitReady(t, a, b)
	admin := firstKey(t, a)
	eventually(t, "b knows a's key", func() bool { return b.admits(admin.Key) })

	resp, err := http.Get("http://" + a.PeerAddr() + "/v1/digest")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("an unsigned call: %d", resp.StatusCode)
	}
	forger := newPeerClient(systemNetwork{}, newPeerAuth(secret, time.Now))
	defer forger.close()
	forger.auth.self = 4711
	page := b.replica.IdlePage(b.now())
	if _, err := forger.merge(t.Context(), a.PeerAddr(), onePage(page)); err == nil {
		t.Error("a member pushed in the name of another")
	}
	if _, err := b.client.merge(t.Context(), a.PeerAddr(), onePage(page)); err != nil {
		t.Errorf("in its own name: %v", err)
	}
}

func onePage(p *antientropy.Page) []byte { return frame([]*antientropy.Page{p})[0] }
