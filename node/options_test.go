package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

func TestTheZeroOptionsAreASingleNodeOnLoopback(t *testing.T) {
	t.Parallel()
	if err := (Options{}).Validate(); err != nil {
		t.Fatalf("the zero options are refused: %v", err)
	}
	o := Options{}.WithDefaults()
	if o.HTTPAddr != DefaultHTTPAddr || o.DataDir != DefaultDataDir || o.FlushInterval != 100*time.Millisecond ||
		o.DefaultPolicy.Capacity != 1000 || o.TopAgents != 50 || o.Logger == nil || o.Registry == nil || o.Now == nil {
		t.Errorf("defaults: %+v", o)
	}
}

func TestValidateCollectsEveryComplaint(t *testing.T) {
	t.Parallel()
	o := Options{
		Name: "has space", Cluster: "a/b",
		HTTPAddr: "0.0.0.0:8080", PeerAddr: "nonsense", GossipAddr: "localhost:7946", AdminAddr: "127.0.0.1:99999",
		AdvertiseGossip: "host:1", Join: []string{"", ":1"},
		GossipKey: []byte("short"), DefaultPolicy: ratelimit.Policy{Capacity: -1},
		FlushInterval: time.Hour, PullInterval: -1, HotAgents: -1, CacheBytes: 1, TopAgents: 5000,
	}
	err := o.Validate()
	if !errors.Is(err, ErrInvalidOptions) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{
		`name "has space"`, `cluster "a/b"`, "http address", "peer address", "gossip address", "admin address",
		"advertised gossip address", "join address is empty", `join address ":1"`, "gossip key has 5 bytes", "default policy",
		"flush interval is 1h", "pull interval is -1ns", "hot agents", "cache is 1 byte", "top agents is 5000",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said about %s in\n%v", want, err)
		}
	}
}

func TestListenersBeyondLoopbackNeedAWord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		o    Options
		ok   bool
	}{
		{"loopback", Options{HTTPAddr: "127.0.0.1:1", PeerAddr: "[::1]:1"}, true},
		{"localhost", Options{HTTPAddr: "localhost:1"}, true},
		{"another loopback address", Options{HTTPAddr: "127.8.8.8:1"}, true},
		{"all addresses", Options{HTTPAddr: "0.0.0.0:1"}, false},
		{"no address", Options{HTTPAddr: ":1"}, false},
		{"a name", Options{PeerAddr: "example.org:1"}, false},
		{"all addresses, insecure", Options{HTTPAddr: ":1", PeerAddr: "0.0.0.0:1", GossipAddr: "0.0.0.0:1", Insecure: true}, true},
		{"gossip without a key", Options{GossipAddr: "0.0.0.0:1"}, false},
		{"gossip with a key", Options{GossipAddr: "0.0.0.0:1", GossipKey: make([]byte, 32)}, true},
		{"admin", Options{AdminAddr: "0.0.0.0:1"}, false},
	} {
		if err := c.o.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAdvertisedAddresses(t *testing.T) {
	t.Parallel()
	bound := addr("127.0.0.1:8080")
	for _, c := range []struct{ option, want string }{
		{"", "127.0.0.1:8080"},
		{"10.0.0.1", "10.0.0.1:8080"},
		{"10.0.0.1:9", "10.0.0.1:9"},
		{"node.example", "node.example:8080"},
		{"node.example:9", "node.example:9"},
		{"::1", "[::1]:8080"},
		{"[::1]:9", "[::1]:9"},
	} {
		if got, err := advertised(c.option, bound); err != nil || got != c.want {
			t.Errorf("advertise %q: %q, %v; want %q", c.option, got, err, c.want)
		}
	}
	if got, err := advertised("", addr("0.0.0.0:8080")); err != nil || strings.HasPrefix(got, "0.0.0.0") {
		t.Errorf("an unspecified listener is advertised as %q, %v", got, err)
	}
}

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
