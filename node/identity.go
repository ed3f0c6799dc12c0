package node

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/storage"
)

// ErrOtherCluster: the data directory belongs to another cluster.
var ErrOtherCluster = errors.New("the data directory belongs to another cluster")

// identity is who this process is.
type identity struct {
	node  crdt.NodeID // of the data directory
	run   crdt.Origin // of this start
	name  string
	fresh bool // the data directory was created by this start
}

// randomID draws an id that was never used before. There is nothing to do when
// the system has no randomness: crypto/rand ends the process.
func randomID() uint64 {
	for {
		var b [8]byte
		_, _ = rand.Read(b[:])
		if id := binary.BigEndian.Uint64(b[:]); id != 0 {
			return id
		}
	}
}

// identify reads the identity of a data directory, or gives a new one its own,
// and starts a new run. A directory that was copied or restored from a backup
// needs nothing more: it only ever was the source of older runs.
func identify(store *storage.Store, o Options, now time.Time) (identity, error) {
	self, found, err := store.Self()
	if err != nil {
		return identity{}, err
	}
	if !found {
		self = storage.Self{Node: crdt.NodeID(randomID()), Cluster: o.Cluster, CreatedMS: now.UnixMilli()}
		if err := store.InitSelf(self); err != nil {
			return identity{}, err
		}
	}
	if self.Cluster != o.Cluster {
		return identity{}, fmt.Errorf("%s: %w: it is of %q, this node is of %q",
			o.DataDir, ErrOtherCluster, self.Cluster, o.Cluster)
	}
	id := identity{node: self.Node, run: crdt.Origin(randomID()), name: o.Name, fresh: !found}
	if id.name == "" {
		id.name = defaultName(self.Node)
	}
	return id, nil
}

// defaultName is the hostname with four digits of the node id, as far as it is
// a valid name.
func defaultName(node crdt.NodeID) string {
	digits := node.String()[:4]
	host, err := os.Hostname()
	if err != nil || !nodeName.MatchString(host+"-"+digits) {
		return "clawd-" + digits
	}
	return host + "-" + digits
}
