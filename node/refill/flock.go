package refill

import "sync"

// flock is the agents of one pool, or those without one, that were active of
// late. Only these are planned for.
type flock struct {
	mu     sync.Mutex
	agents []*Agent
	byName map[string]*Agent // only kept for the agents without a pool
}

// idleAfter is how long after its last request an agent is planned for.
const idleAfter = 60 * second

const second = int64(1e9)

func (f *flock) add(a *Agent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.listed.Swap(true) {
		return
	}
	f.agents = append(f.agents, a)
	if f.byName != nil {
		f.byName[a.name] = a
	}
}

// active lists the agents, and drops those for which keep is false. It calls
// keep without a lock.
func (f *flock) active(keep func(*Agent) bool) []*Agent {
	f.mu.Lock()
	list := f.agents
	f.agents = nil
	f.mu.Unlock()
	kept := make([]*Agent, 0, len(list))
	var gone []*Agent
	for _, a := range list {
		if keep(a) {
			kept = append(kept, a)
		} else {
			gone = append(gone, a)
		}
	}
	f.mu.Lock()
	f.agents = append(kept, f.agents...) // those that came meanwhile
	for _, a := range gone {
		if f.byName[a.name] == a {
			delete(f.byName, a.name)
		}
		a.listed.Store(false)
	}
	f.mu.Unlock()
	return kept
}

func (f *flock) size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.agents)
}
