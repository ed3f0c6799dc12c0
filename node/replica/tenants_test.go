package replica

import (
	"errors"
	"testing"
)

// Each tenant's policies count for its own agents alone, on every node and
// after a restart, also under equal names.
func TestPoliciesBelongToATenant(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	for tenant, capacity := range map[string]int64{homeTenant: 10, "acme": 20} {
		p := perHour(capacity)
		p.Name, p.Match = "all", "*"
		if _, created, _, err := a.PutPolicy(w.now, tenant, p, nil); err != nil || !created {
			t.Fatal(created, err)
		}
	}
	a.flushTo(b)
	check := func(h *host) {
		t.Helper()
		for tenant, want := range map[string]int64{homeTenant: 10, "acme": 20, "empty": 1000} {
			v, err := h.Explain(w.now, &Request{Tenant: tenant, Agent: "bot", Tokens: token})
			if err != nil || v.Buckets[0].Policy.Capacity != want {
				t.Errorf("%s: %d, want %d, %v", tenant, v.Buckets[0].Policy.Capacity, want, err)
			}
		}
		if list := h.Policies("acme", "", "", 10); len(list) != 1 || list[0].Capacity != 20 {
			t.Errorf("%+v", list)
		}
	}
	check(a)
	check(b)
	b.flush()
	b.crash()
	check(b)
	if _, err := b.DeletePolicy(w.now, "empty", "all", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a foreign tenant's policy was found: %v", err)
	}
	if _, err := b.DeletePolicy(w.now, "acme", "all", nil); err != nil {
		t.Error(err)
	}
	if p, _, err := b.Policy(homeTenant, "all"); err != nil || p.Capacity != 10 {
		t.Errorf("the other tenant's deletion took %+v %v", p, err)
	}
}
