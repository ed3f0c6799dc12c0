package archtest

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTree(t *testing.T) {
	files, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	// A walk from the wrong place would find nothing to complain about.
	if len(code(files, "crdt")) == 0 || len(code(files, "internal/archtest")) == 0 {
		t.Fatalf("only %d files found", len(files))
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, line := range r.broken(files) {
				t.Error(line)
			}
		})
	}
}

// Each rule catches what it is there for, and lets pass what lies next to it.
func TestRulesBite(t *testing.T) {
	const ours = `"github.com/openclaw/clawd/`
	for _, c := range []struct {
		name, path, text string
		want             []string // parts of the only complaint; nil = none
	}{
		{
			"crdt imports one of ours", "crdt/a.go", "package crdt\nimport " + ours + `ratelimit"`,
			[]string{"crdt/a.go imports ratelimit; crdt may import nothing"},
		},
		{
			"api sees the node", "api/a.go", "package api\nimport " + ours + `node"`,
			[]string{"api may import ratelimit, rating, api/wire"},
		},
		{"node imports all", "node/a.go", "package node\nimport (\n" + ours + "api\"\n" + ours + "storage\"\n)", nil},
		{
			"a replica reaches up", "node/replica/a.go", "package replica\nimport " + ours + `node"`,
			[]string{"node/replica may import crdt, ratelimit, rating, storage, node/antientropy"},
		},
		{"the client shares types", "client/a.go", "package client\nimport " + ours + `api/wire"`, nil},
		{
			"the client takes a shortcut", "client/a.go", "package client\nimport " + ours + `api"`,
			[]string{"client may import api/wire"},
		},
		{"a test may import more", "crdt/a_test.go", "package crdt_test\nimport " + ours + `storage"`, nil},
		{"internal is free", "internal/sim/a.go", "package sim\nimport " + ours + `node/replica"`, nil},
		{
			"under a build tag", "ratelimit/a.go", "//go:build never\n\npackage ratelimit\nimport " + ours + `crdt"`,
			[]string{"ratelimit/a.go imports crdt"},
		},
		{"a new package", "extra/a.go", "package extra", []string{"extra", "not in the table"}},

		{
			"pebble outside of storage", "node/a.go", "package node\nimport \"github.com/cockroachdb/pebble/v2/vfs\"",
			[]string{"node/a.go imports github.com/cockroachdb/pebble/v2/vfs", "allowed in storage"},
		},
		{"pebble in another's test", "node/a_test.go", "package node\nimport \"github.com/cockroachdb/pebble/v2\"", []string{"allowed in storage"}},
		{"pebble in storage's test", "storage/a_test.go", "package storage\nimport \"github.com/cockroachdb/pebble/v2\"", nil},
		{"serf below node", "node/replica/a.go", "package replica\nimport \"github.com/hashicorp/serf/serf\"", []string{"allowed in node"}},
		{"memberlist in api", "api/a.go", "package api\nimport \"github.com/hashicorp/memberlist\"", []string{"allowed in node"}},
		{"mux in node", "node/a.go", "package node\nimport \"github.com/gorilla/mux\"", []string{"allowed in api"}},
		{"mux in api", "api/a.go", "package api\nimport \"github.com/gorilla/mux\"", nil},

		{"a clock in the core", "ratelimit/a.go", "package ratelimit\nimport \"time\"\nvar _ = time.Now()", []string{"uses time.Now"}},
		{"a clock under another name", "crdt/a.go", "package crdt\nimport t \"time\"\nvar _ = t.Since", []string{"uses time.Since"}},
		{"a duration in the core", "crdt/a.go", "package crdt\nimport \"time\"\nconst d = time.Second", nil},
		{"a socket in the core", "node/antientropy/a.go", "package antientropy\nimport \"net/http\"", []string{"imports net/http"}},
		{"a generator handed in", "ratelimit/a.go", "package ratelimit\nimport \"math/rand/v2\"\nvar r *rand.Rand", nil},
		{"chance in the core", "ratelimit/a.go", "package ratelimit\nimport \"math/rand/v2\"\nvar n = rand.IntN(6)", []string{"uses math/rand/v2.IntN"}},
		{"the old generator in the core", "ratelimit/a.go", "package ratelimit\nimport \"math/rand\"", []string{"imports math/rand"}},
		{"a foreign package in the core", "crdt/a.go", "package crdt\nimport \"github.com/zeebo/xxh3\"", []string{"crdt may import the standard library"}},

		{"a name without meaning", "internal/util/a.go", "package util", []string{`a package "util"`}},
		{"a clause without meaning", "internal/x/a.go", "package helpers", []string{`a package "helpers"`}},
		{"not looked into", "crdt/testdata/util/a.go", "package util", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			files, err := load(fstest.MapFS{c.path: {Data: []byte(c.text)}})
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, r := range rules() {
				lines = append(lines, r.broken(files)...)
			}
			if len(lines) != min(1, len(c.want)) {
				t.Fatalf("%d complaints: %q", len(lines), lines)
			}
			for _, part := range c.want {
				if !strings.Contains(lines[0], part) {
					t.Errorf("%q does not say %q", lines[0], part)
				}
			}
		})
	}
}

func TestLoadNamesTheFileThatDoesNotParse(t *testing.T) {
	_, err := load(fstest.MapFS{"crdt/bad.go": {Data: []byte("pakage crdt")}})
	if err == nil || !strings.Contains(err.Error(), "crdt/bad.go") {
		t.Errorf("got %v", err)
	}
	if _, err := load(brokenFS{}); err == nil {
		t.Error("a file system that cannot be read is no empty tree")
	}
}

type brokenFS struct{}

func (brokenFS) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

// An arrow to a package that is no room, or against another arrow, is a slip in
// the table itself.
func TestTableIsAnOrder(t *testing.T) {
	seen := map[string]bool{"internal/buildinfo": true, "internal/glob": true, "internal/trace": true, "internal/cost": true} // what rooms use of the trees that are none
	outside := len(seen)
	for len(seen) < len(rooms)+outside {
		before := len(seen)
		for _, r := range rooms {
			if !slices.ContainsFunc(r.may, func(p string) bool { return !seen[p] }) {
				seen[r.pkg] = true
			}
		}
		if len(seen) == before {
			t.Fatalf("the rooms import each other in a circle, or one that is not there; placed are %v", seen)
		}
	}
}
