package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/openclaw/clawd/node"
)

// parse runs the settings through flags alone.
func parse(t *testing.T, args ...string) node.Options {
	t.Helper()
	cfg := &config{}
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	cfg.declare(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	o, err := cfg.options()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestDefaultsAreTheNodes: a flag nobody gave means what package node says.
func TestDefaultsAreTheNodes(t *testing.T) {
	want := node.Options{}.WithDefaults()
	want.Logger, want.Registry, want.Now, want.Network = nil, nil, nil, nil
	got := parse(t)
	for i := range reflect.TypeFor[node.Options]().NumField() {
		field := reflect.TypeFor[node.Options]().Field(i)
		if !field.IsExported() {
			continue
		}
		a, b := reflect.ValueOf(got).Field(i), reflect.ValueOf(want).Field(i)
		if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 || a.Kind() == reflect.Func {
			continue
		}
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			t.Errorf("%s: got %v, want %v", field.Name, a, b)
		}
	}
}

// TestEveryFlagArrives gives each flag a value of its own and looks for it: one
// that is forgotten in options leaves its field at the default.
func TestEveryFlagArrives(t *testing.T) {
	o := parse(t, "--name", "n", "--data-dir", "d", "--cluster", "c", "--join", "a:1", "--join", "b:2",
		"--http-addr", "127.0.0.1:1", "--peer-addr", "127.0.0.1:2", "--gossip-addr", "127.0.0.1:3", "--admin-addr", "127.0.0.1:4",
		"--advertise-http", "h:1", "--advertise-peer", "h:2", "--advertise-gossip", "10.0.0.1:3",
		"--insecure", "--auto-rebuild", "--legacy-headers", "--default-policy", "5/1m", "--top-agents", "0", "--refill-model", "m.tflite", "--hot-agents", "9",
		"--cache-size", "2MiB", "--flush-interval", "1s", "--pull-interval", "3s", "--audit-interval", "4s", "--drain-timeout", "5s", "--sync-wait", "6s")
	policy := o.DefaultPolicy
	for name, ok := range map[string]bool{
		"name": o.Name == "n", "data-dir": o.DataDir == "d", "cluster": o.Cluster == "c",
		"join":      reflect.DeepEqual(o.Join, []string{"a:1", "b:2"}),
		"http-addr": o.HTTPAddr == "127.0.0.1:1", "peer-addr": o.PeerAddr == "127.0.0.1:2",
		"gossip-addr": o.GossipAddr == "127.0.0.1:3", "admin-addr": o.AdminAddr == "127.0.0.1:4",
		"advertise-http": o.AdvertiseHTTP == "h:1", "advertise-peer": o.AdvertisePeer == "h:2", "advertise-gossip": o.AdvertiseGossip == "10.0.0.1:3",
		"insecure": o.Insecure, "refill-model": o.RefillModel == "m.tflite", "auto-rebuild": o.AutoRebuild, "legacy-headers": o.LegacyHeaders,
		"default-policy": policy.Name == "default" && policy.Capacity == 5 && policy.IntervalSeconds.String() == "60",
		"top-agents":     o.TopAgents < 0, // off, where 0 would be the default
		"hot-agents":     o.HotAgents == 9, "cache-size": o.CacheBytes == 2<<20,
		"flush-interval": o.FlushInterval == time.Second, "pull-interval": o.PullInterval == 3*time.Second,
		"audit-interval": o.AuditInterval == 4*time.Second, "drain-timeout": o.DrainTimeout == 5*time.Second, "sync-wait": o.SyncWait == 6*time.Second,
	} {
		if !ok {
			t.Errorf("--%s does not arrive", name)
		}
	}
}
