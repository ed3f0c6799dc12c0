package replica

import (
	"slices"
	"strings"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/storage"
)

// agentNames merges the agents on disk with those only in memory yet.
func (r *Replica) agentNames(tenant, prefix, after string, limit int) ([]string, error) {
	start := tenant + "\x00" + prefix
	from := ""
	if after >= prefix && after != "" {
		from = crdt.AgentPrefix(tenant, after)
	}
	var names []string
	err := r.store.Cells(crdt.KindBucket, start, from, func(key string, _ *storage.Cell) bool {
		name, ok := r.listed(key, after)
		if ok && (len(names) == 0 || names[len(names)-1] != name) {
			names = append(names, name)
		}
		return len(names) < limit
	})
	if err != nil {
		return nil, err
	}
	fresh := r.unsavedAgents(start, after)
	names = append(names, fresh...)
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(limit, len(names))], nil
}

func (r *Replica) listed(key, after string) (string, bool) {
	k, err := crdt.ParseBucketKey(key)
	if err != nil || k.Agent <= after || r.controlOf(agentName(k.Tenant, k.Agent)).epoch != k.Epoch {
		return "", false
	}
	return k.Agent, true
}

// unsavedAgents are the agents of buckets that no flush has written yet. They
// are in the dirty sets, so the rest of memory need not be searched.
func (r *Replica) unsavedAgents(start, after string) []string {
	var names []string
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		for _, list := range sh.unsaved() {
			for _, c := range list {
				if c.kind != crdt.KindBucket || c.void {
					continue
				}
				key := c.key()
				if !strings.HasPrefix(key, start) {
					continue
				}
				if name, ok := r.listed(key, after); ok {
					names = append(names, name)
				}
			}
		}
		sh.mu.Unlock()
	}
	return names
}
