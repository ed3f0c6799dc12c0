package node

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/openclaw/clawd/crdt"
)

// The sync protocol versions this build speaks. A member is accepted when the
// ranges overlap.
const (
	protocolMin = 1
	protocolMax = 1
)

// Serf sends a member's tags with every alive message and allows 512 bytes for
// all of them, hence the short keys.
const (
	tagCluster  = "c" // hash of the cluster's name
	tagProtocol = "v" // "min-max"
	tagNode     = "id"
	tagRun      = "r"
	tagPhase    = "s" // joining, syncing, ready, leaving
	tagHTTP     = "h" // host:port
	tagPeer     = "p" // host:port
	tagVersion  = "b" // of the build, for operators
)

var (
	errForeignMember = errors.New("member of another cluster")
	errProtocol      = errors.New("no protocol version in common")
	errTags          = errors.New("unreadable member tags")
)

// clusterHash stands for the cluster's name in tags.
func clusterHash(name string) string {
	sum := sha256.Sum256([]byte("clawd cluster\x00" + name))
	return hex.EncodeToString(sum[:6])
}

// tags is what a member tells of itself through Serf.
type tags struct {
	cluster string // clusterHash
	node    crdt.NodeID
	run     crdt.Origin
	phase   string
	http    string
	peer    string
	version string
}

// maxVersion is how much of a build's version travels.
const maxVersion = 32

func (t tags) encode() map[string]string {
	return map[string]string{
		tagCluster:  t.cluster,
		tagProtocol: fmt.Sprintf("%d-%d", protocolMin, protocolMax),
		tagNode:     t.node.String(),
		tagRun:      t.run.String(),
		tagPhase:    t.phase,
		tagHTTP:     t.http,
		tagPeer:     t.peer,
		tagVersion:  t.version[:min(len(t.version), maxVersion)],
	}
}

// parseTags reads what another member told. Nothing of it is trusted beyond
// its form.
func parseTags(m map[string]string, cluster string) (tags, error) {
	t := tags{cluster: m[tagCluster], phase: m[tagPhase], http: m[tagHTTP], peer: m[tagPeer], version: m[tagVersion]}
	if t.cluster != cluster {
		return tags{}, errForeignMember
	}
	if err := checkProtocol(m[tagProtocol]); err != nil {
		return tags{}, err
	}
	var err error
	if t.node, err = crdt.ParseNodeID(m[tagNode]); err != nil || t.node == 0 {
		return tags{}, fmt.Errorf("%w: node id %q", errTags, m[tagNode])
	}
	if t.run, err = crdt.ParseOrigin(m[tagRun]); err != nil || t.run == 0 {
		return tags{}, fmt.Errorf("%w: run %q", errTags, m[tagRun])
	}
	if _, _, err := splitHostPort(t.peer); err != nil || len(t.peer) > maxAddress {
		return tags{}, fmt.Errorf("%w: peer address %q", errTags, t.peer)
	}
	return t, nil
}

func checkProtocol(versions string) error {
	low, high, ok := strings.Cut(versions, "-")
	from, err1 := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("%w: protocol range %q", errTags, versions)
	}
	if to < protocolMin || from > protocolMax {
		return fmt.Errorf("%w: it speaks %s, this node %d-%d", errProtocol, versions, protocolMin, protocolMax)
	}
	return nil
}
