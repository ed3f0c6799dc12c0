package replica

import "github.com/openclaw/clawd/crdt"

// placement is the part of a cell key that decides its shard: all buckets of
// an agent share one, so that its inline buckets can be counted under a lock.
func placement[K string | []byte](key K) K {
	names := 0
	for i := range len(key) {
		if key[i] == 0 {
			if names++; names == 2 {
				return key[:i]
			}
		}
	}
	return key
}

// ownerLen is the length of that part of the bucket key of q.
func ownerLen(q *Request) int { return 1 + len(q.Tenant) + 1 + len(q.Agent) }

// keySpace is room for most keys, so that they need no memory of their own.
const keySpace = 128

// agentControl is what operators did to an agent: a deletion starts a new
// epoch of its buckets, a reset fills them.
type agentControl struct {
	epoch crdt.HLC
	reset crdt.HLC
}

func agentName(tenant, agent string) string { return tenant + "\x00" + agent }

// controlOf answers for the agent whose bucket key starts with prefix, without
// its epoch: "tenant 0x00 agent".
func (r *Replica) controlOf(tenantAgent string) agentControl {
	m := r.controls.Load()
	if m == nil || len(*m) == 0 {
		return agentControl{}
	}
	return (*m)[tenantAgent]
}

// appendBucketCellKey writes the shard's key of an agent's configured bucket.
// That of an inline policy has its encoding behind it.
func (r *Replica) appendBucketCellKey(b []byte, tenant, agent string) []byte {
	var epoch crdt.HLC
	if m := r.controls.Load(); m != nil && len(*m) > 0 {
		epoch = (*m)[agentName(tenant, agent)].epoch
	}
	b = append(b, byte(crdt.KindBucket))
	return crdt.BucketKey{Tenant: tenant, Agent: agent, Epoch: epoch}.Append(b)
}

// applyReset brings a bucket to the newest reset known for its agent.
func (r *Replica) applyReset(c *cell, now Instant) {
	m := r.controls.Load()
	if m == nil || len(*m) == 0 {
		return
	}
	k, err := crdt.ParseBucketKey(c.key())
	if err != nil {
		return
	}
	c.followReset(now, (*m)[agentName(k.Tenant, k.Agent)].reset)
}

// followReset applies a reset, once, and tells whether it did.
func (c *cell) followReset(now Instant, version crdt.HLC) bool {
	if version <= c.rares().reset {
		return false
	}
	c.bucket.Reset(now.Mono, c.limit())
	c.needRare().reset = version
	return true
}

func (r *Replica) loadMark(c *cell) error {
	if c.policy.Limit.Durability != reserve {
		return nil
	}
	hw, found, err := r.store.HighWater(c.key())
	if err != nil || !found {
		return err
	}
	if c.own.Birth == hw.Birth { // 0: before the first row
		c.needRare().marks.mark = hw.Mark
	}
	return nil
}
