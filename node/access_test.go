package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/internal/faultnet"
	"github.com/openclaw/clawd/node/replica"
)

// firstKey makes the first key of a cluster, from loopback over HTTP's back.
func firstKey(t *testing.T, n *Node) wire.APIKey {
	t.Helper()
	by, verdict := n.guard.Identify(nil, true, time.Now().UnixMilli())
	if verdict != access.Admitted {
		t.Fatal(verdict)
	}
	k, err := public{n}.CreateAPIKey(t.Context(), by, wire.NewAPIKey{Role: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (n *Node) admits(key string) bool {
	_, verdict := n.guard.Identify([]byte(key), true, time.Now().UnixMilli())
	return verdict == access.Admitted
}

// A key works on every node, and stops working on every node, within a second;
// a restart forgets neither.
func TestKeysAndRevocationsReachEveryNode(t *testing.T) {
	t.Parallel()
	nodes := trio(t)
	admin := firstKey(t, nodes[0])
	by, _ := nodes[0].guard.Identify([]byte(admin.Key), true, time.Now().UnixMilli())
	victim, err := public{nodes[0]}.CreateAPIKey(t.Context(), by, wire.NewAPIKey{Role: "consumer", Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		eventually(t, "the key works", func() bool { return n.admits(victim.Key) && n.admits(admin.Key) && !n.admits("") })
	}
	if err := (public{nodes[1]}).RevokeAPIKey(t.Context(), by, admin.ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("the last admin key was revoked: %v", err)
	}
	if err := (public{nodes[1]}).RevokeAPIKey(t.Context(), by, victim.ID); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, n := range nodes {
		eventually(t, "the key is dead", func() bool { return !n.admits(victim.Key) })
	}
	t.Logf("a revocation took %v to reach three nodes", time.Since(began))

	fresh, err := public{nodes[2]}.RotateAPIKey(t.Context(), by, admin.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		eventually(t, "the new key alone works", func() bool { return n.admits(fresh.Key) && !n.admits(admin.Key) })
	}
	o := nodes[0].options
	closeNode(t, nodes[0])
	o.Registry, o.Join = nil, []string{nodes[1].GossipAddr()}
	again := open(t, o)
	waitReady(t, again)
	if !again.admits(fresh.Key) || again.admits(admin.Key) || again.admits(victim.Key) || again.admits("") {
		t.Error("a restart forgot")
	}
}

// Under strict-auth a node that is cut off from the others lets nobody in, and
// so nobody revokes a key there that the others would not hear of.
func TestStrictAuthRefusesWhenCutOff(t *testing.T) {
	t.Parallel()
	links := faultnet.New()
	var nodes []*Node
	for _, name := range []string{"a", "b", "c"} {
		o := peered(t, name, nodes...)
		o.StrictAuth, o.Network = true, links.Host(name)
		nodes = append(nodes, open(t, o))
	}
	waitReady(t, nodes...)
	for _, n := range nodes {
		eventually(t, "it is sure", func() bool { return n.admits("") })
	}
	admin := firstKey(t, nodes[0])
	for _, n := range nodes {
		eventually(t, "the key works", func() bool { return n.admits(admin.Key) })
	}
	links.Cut("c", "a")
	links.Cut("c", "b")
	eventually(t, "the lone node refuses", func() bool {
		_, verdict := nodes[2].guard.Identify([]byte(admin.Key), true, time.Now().UnixMilli())
		return verdict == access.Unsure
	})
	if !nodes[0].admits(admin.Key) || !nodes[1].admits(admin.Key) {
		t.Error("the majority refuses, too")
	}
	links.Heal()
	eventually(t, "all are sure again", func() bool { return nodes[2].admits(admin.Key) })
}

func TestInContact(t *testing.T) {
	self := replica.MemberInfo{Node: 2, Self: true}
	near := replica.MemberInfo{Node: 3, State: replica.PeerAlive, Staleness: time.Second}
	far := replica.MemberInfo{Node: 4, State: replica.PeerAlive, Staleness: time.Minute}
	dead := replica.MemberInfo{Node: 1, State: replica.PeerFailed}
	gone := replica.MemberInfo{Node: 1, State: replica.PeerFailed, Gone: "left"}
	for _, c := range []struct {
		why  string
		list []replica.MemberInfo
		want bool
	}{
		{"alone", []replica.MemberInfo{self}, true},
		{"the other half has the smallest id", []replica.MemberInfo{self, dead}, false},
		{"this half has it", []replica.MemberInfo{self, far}, true},
		{"two of three", []replica.MemberInfo{self, near, far}, true},
		{"one of three", []replica.MemberInfo{self, far, dead}, false},
		{"who left does not count", []replica.MemberInfo{self, gone}, true},
	} {
		if got := inContact(c.list, 3*time.Second); got != c.want {
			t.Errorf("%s: %v", c.why, got)
		}
	}
}

// The quota of requests holds in front of the router and behind it, and tells
// when to come back.
func TestRequestQuota(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	if status, text := g.call("PUT", "/v1/tenants/"+own, `{"quota":{"requests_per_second":5,"watchers":1}}`, g.key("default", access.Admin)); status != http.StatusOK && status != http.StatusCreated {
		t.Fatal(status, text)
	}
	refused := 0
	for range 50 {
		status, text := g.call("POST", "/v1/agents/a/consume", "", g.key(own, access.Consumer))
		if status == http.StatusTooManyRequests {
			refused++
			if !strings.Contains(text, "Retry-After: 1") || !strings.Contains(text, "requests_per_second") {
				t.Fatalf("%s", text)
			}
		}
	}
	if refused < 30 {
		t.Errorf("%d of 50 refused at 5/s", refused)
	}
	if status, text := g.call("POST", "/v1/agents/a/consume", "", g.key(foreign, access.Consumer)); status != http.StatusOK {
		t.Errorf("the neighbour: %d %s", status, text)
	}
}

func TestProfilesNeedAnOperator(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.AdminAddr = "127.0.0.1:0"
	n := open(t, o)
	waitReady(t, n)
	get := func(path, key string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.AdminAddr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := get("/debug/pprof/cmdline", ""); got != http.StatusOK {
		t.Errorf("without keys, from loopback: %d", got)
	}
	admin := firstKey(t, n)
	if got := get("/debug/pprof/cmdline", ""); got != http.StatusUnauthorized {
		t.Errorf("without a key: %d", got)
	}
	if got := get("/debug/pprof/cmdline", admin.Key); got != http.StatusOK {
		t.Errorf("with a key: %d", got)
	}
}

// A page of another origin in the operator's browser cannot make the first key.
func TestNoKeyForAForeignPage(t *testing.T) {
	t.Parallel()
	n := open(t, peered(t, "a"))
	waitReady(t, n)
	for _, header := range [][2]string{{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
		for _, path := range []string{"/v1/keys", "/v1/agents/x/consume"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+n.HTTPAddr()+path, strings.NewReader(`{"role":"admin"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(header[0], header[1])
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %s: %d", path, header[0], resp.StatusCode)
			}
		}
	}
	if !n.guard.Keyless() {
		t.Error("a key was made")
	}
}

// BenchmarkConsumeOverHTTP is the hot call with and without a key, over one
// kept-alive connection each; compare the two of one run.
func BenchmarkConsumeOverHTTP(b *testing.B) {
	for _, keyed := range []bool{false, true} {
		name := map[bool]string{false: "open", true: "keyed"}[keyed]
		b.Run(name, func(b *testing.B) {
			o := Options{DataDir: b.TempDir(), HTTPAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0"}
			n, err := Open(b.Context(), o)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = n.Close(context.Background()) }()
			<-n.Ready()
			field := ""
			if keyed {
				by, _ := n.guard.Identify(nil, true, 0)
				k, err := public{n}.CreateAPIKey(b.Context(), by, wire.NewAPIKey{Role: "admin"})
				if err != nil {
					b.Fatal(err)
				}
				field = "Authorization: Bearer " + k.Key + "\r\n"
			}
			c, err := net.Dial("tcp", n.HTTPAddr())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			request := []byte("POST /v1/agents/a/consume HTTP/1.1\r\nHost: x\r\n" + field + "\r\n")
			answer := make([]byte, 4096)
			for b.Loop() {
				if _, err := c.Write(request); err != nil {
					b.Fatal(err)
				}
				n, err := c.Read(answer)
				if err != nil || !strings.Contains(string(answer[:min(n, 16)]), "200") && !strings.Contains(string(answer[:min(n, 16)]), "429") {
					b.Fatalf("%v %s", err, answer[:n])
				}
			}
		})
	}
}
