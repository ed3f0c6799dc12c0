package node

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func fullTags() tags {
	long := strings.Repeat("a", maxAddress-6) + ":65535"
	return tags{
		cluster: clusterHash("clawd"), node: 1<<64 - 1, run: 1<<64 - 1, phase: phaseSyncing.String(),
		http: long, peer: long, version: strings.Repeat("v", 100),
	}
}

func TestTagsFitIntoAGossipMessage(t *testing.T) {
	t.Parallel()
	size := 1 + 3 // Serf's mark and the head of a msgpack map
	for k, v := range fullTags().encode() {
		size += 3 + len(k) + 3 + len(v)
	}
	if size > 512 {
		t.Errorf("the longest tags take %d bytes, want at most 512", size)
	}
}

func TestTagsOfStrangersAreRefused(t *testing.T) {
	t.Parallel()
	whole := fullTags().encode()
	own := clusterHash("clawd")
	got, err := parseTags(whole, own)
	if err != nil || got.node != fullTags().node || got.peer != fullTags().peer {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, c := range []struct {
		key, value string
		want       error
	}{
		{tagCluster, clusterHash("other"), errForeignMember},
		{tagCluster, "", errForeignMember},
		{tagProtocol, "2-3", errProtocol},
		{tagProtocol, "0-0", errProtocol},
		{tagProtocol, "", errTags},
		{tagProtocol, "1", errTags},
		{tagNode, "", errTags},
		{tagNode, "0000000000000000", errTags},
		{tagNode, "xyz", errTags},
		{tagRun, "0", errTags},
		{tagPeer, strings.Repeat("a", maxAddress) + ":1", errTags},
	} {
		m := maps.Clone(whole)
		m[c.key] = c.value
		if _, err := parseTags(m, own); !errors.Is(err, c.want) {
			t.Errorf("%s=%q: %v, want %v", c.key, c.value, err, c.want)
		}
	}
	if _, err := parseTags(nil, own); !errors.Is(err, errForeignMember) {
		t.Errorf("no tags: %v", err)
	}
	m := maps.Clone(whole)
	m[tagProtocol] = "1-9" // a newer one that still speaks ours
	if _, err := parseTags(m, own); err != nil {
		t.Errorf("a newer member: %v", err)
	}
}
