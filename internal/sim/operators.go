package sim

import (
	"encoding/json"
	"strings"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
)

func policyKey(name string) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpacePolicy, Tenant: tenant, Name: name}
}

func (w *world) opPolicyPut(m *machine, _ *Op, c *chance) {
	p := m.proc
	policy := w.plan.Policies[c.below(len(w.plan.Policies))]
	policy.Capacity = []int64{10, 50, 100, 1000}[c.below(4)]
	_, _, wait, err := p.rep.PutPolicy(w.instant(p), tenant, policy, nil)
	if w.failed(p, "policy", err) {
		return
	}
	w.tell("%s: policy %s: capacity %d, %s", w.ledger.runs[p.run].name, policy.Name, policy.Capacity, policy.Durability)
	w.coverage.hit(covPolicy)
	w.unclearAll()
	w.wrote(p, policyKey(policy.Name), wait)
}

func (w *world) opPolicyDelete(m *machine, _ *Op, c *chance) {
	p := m.proc
	name := w.plan.Policies[c.below(len(w.plan.Policies))].Name
	wait, err := p.rep.DeletePolicy(w.instant(p), tenant, name, nil)
	if w.refused(p, "policy", err, replica.ErrNotFound) {
		return
	}
	w.tell("%s: policy %s is deleted", w.ledger.runs[p.run].name, name)
	w.coverage.hit(covPolicyDeleted)
	w.unclearAll()
	w.wrote(p, policyKey(name), wait)
}

// policyOf is the policy of an agent according to what a node knows. It only
// needs to be right for the policies of newConfig.
func (w *world) policyOf(regs *regKnowledge, agent string) ratelimit.Policy {
	for _, name := range [...]string{"agent0", "few", "all"} {
		matches := map[string]bool{"agent0": agent == "agent0", "few": strings.HasPrefix(agent, "agent1"), "all": true}
		k, known := w.ledger.regs.keyOf[policyKey(name).Encode()]
		if !matches[name] || !known {
			continue
		}
		if v := w.ledger.regs.value(*regs, k); v != nil && !v.deleted {
			return v.policy()
		}
	}
	return w.plan.Default
}

func (v *regValue) policy() ratelimit.Policy {
	if v.decoded == nil {
		v.decoded = new(ratelimit.Policy)
		if json.Unmarshal(v.value, v.decoded) != nil {
			panic("a policy that cannot be read was stored")
		}
	}
	return *v.decoded
}

func (w *world) opReset(m *machine, _ *Op, c *chance) {
	p := m.proc
	agent := agentName(c.below(w.plan.Agents))
	wait, err := p.rep.ResetAgent(w.instant(p), tenant, agent)
	if w.failed(p, "reset", err) {
		return
	}
	w.tell("%s: %s is reset", w.ledger.runs[p.run].name, agent)
	w.coverage.hit(covReset)
	w.unclearAll()
	w.wrote(p, crdt.RegisterKey{Space: crdt.SpaceReset, Tenant: tenant, Name: agent}, wait)
}

func (w *world) opDelete(m *machine, _ *Op, c *chance) {
	p := m.proc
	agent := agentName(c.below(w.plan.Agents))
	wait, err := p.rep.DeleteAgent(w.instant(p), tenant, agent)
	if w.failed(p, "delete", err) {
		return
	}
	w.tell("%s: %s is deleted", w.ledger.runs[p.run].name, agent)
	w.coverage.hit(covAgentDeleted)
	w.unclearAll()
	w.wrote(p, crdt.RegisterKey{Space: crdt.SpaceAgent, Tenant: tenant, Name: agent}, wait)
}

// epochOf is the time of an agent's last deletion that a node knows of.
func (w *world) epochOf(regs *regKnowledge, agent string) crdt.HLC {
	k, known := w.ledger.regs.keyOf[crdt.RegisterKey{Space: crdt.SpaceAgent, Tenant: tenant, Name: agent}.Encode()]
	if !known {
		return 0
	}
	if v := w.ledger.regs.value(*regs, k); v != nil {
		return v.version
	}
	return 0
}
