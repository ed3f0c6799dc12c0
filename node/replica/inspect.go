package replica

import "github.com/openclaw/clawd/crdt"

// Register reads the newest state of a register on this node, tombstones and
// expired values included. It is for those who check a replica from outside;
// the value must not be changed.
func (r *Replica) Register(key crdt.RegisterKey) (reg crdt.Register, found bool, err error) {
	return r.register(key.Encode())
}
