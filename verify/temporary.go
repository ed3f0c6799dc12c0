package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/ratelimit"
)

// agent is a temporary agent, its policy, and what is asked on its behalf.
type agent struct {
	name    string
	policy  client.Policy
	single  bool    // asked at one node only
	offered float64 // requests a second
}

// offeredTimes is how often the rate of its policy an agent is offered. At twice
// the rate the limit decides about every other request.
const offeredTimes = 2

// agents are two that all nodes are asked about, and one at a single node.
func (r *run) agents() []agent {
	return []agent{
		r.agent("shared-1", r.o.PerSecond*3/8, false),
		r.agent("shared-2", r.o.PerSecond*3/8, false),
		r.agent("single", r.o.PerSecond/4, true),
	}
}

func (r *run) agent(what string, offered float64, single bool) agent {
	name := r.report.Prefix + "-" + what
	perSecond := offered / offeredTimes
	return agent{name: name, single: single, offered: offered, policy: client.Policy{
		Name: name, Capacity: int64(math.Ceil(2 * perSecond)),
		RefillRate: ratelimit.Decimal(math.Round(perSecond * 1e6)), IntervalSeconds: ratelimit.Whole(1),
	}}
}

// perSecond is the refill as the policy has it.
func (a agent) perSecond() float64 { return float64(a.policy.RefillRate.Millionths()) / 1e6 }

// putPolicies stores the policies at one node and waits until all have them.
func (r *run) putPolicies(ctx context.Context) bool {
	first := r.peers[0]
	for _, a := range r.agents() {
		_, err := first.client.Policies.Put(ctx, a.policy)
		r.wrote("policy", a.policy.Name, err)
		if err != nil {
			r.report.add("policies", Fail, "cannot store a temporary policy at %s: it %s", first.name, reason(err))
			return false
		}
	}
	took, err := until(ctx, r.o.Within, func(ctx context.Context) error {
		return errors.Join(eachPeer(r.peers, func(p *peer) error {
			for _, a := range r.agents() {
				got, err := p.client.Agents.Get(ctx, a.name)
				switch {
				case err != nil:
					return fmt.Errorf("%s %s", p.name, reason(err))
				case got.Policy.Name != a.policy.Name:
					return fmt.Errorf("%s limits %s by the policy %q", p.name, a.name, got.Policy.Name)
				}
			}
			return nil
		})...)
	})
	if err != nil {
		r.report.add("policies", Fail, "stored at %s, but after %v not in force everywhere: %s", first.name, r.o.Within, oneLine(err))
		return false
	}
	r.report.PoliciesMS = millis(took)
	r.report.add("policies", Pass, "stored at %s, in force on %s after %v", first.name, r.everywhere(), shown(took))
	return true
}

func (r *run) everywhere() string {
	if len(r.peers) == 1 {
		return "it"
	}
	return fmt.Sprintf("all %d nodes", len(r.peers))
}

// written is a temporary name that may exist.
type written struct{ what, name string }

// wrote notes a name, unless the answer tells that nothing was written.
func (r *run) wrote(what, name string, err error) {
	var answered *client.Error
	refused := errors.Is(err, client.ErrUnreachable) || errors.As(err, &answered) && answered.Status < http.StatusInternalServerError
	if err != nil && refused {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := (written{what, name}); !slices.Contains(r.temporary, w) {
		r.temporary = append(r.temporary, w)
	}
}

// cleanUpWithin bounds the removal, so that an interrupted run ends.
const cleanUpWithin = 10 * time.Second

// cleanUp removes every temporary name, the last one first: without its policy an
// agent would be one of the default's. It waits until none is left.
func (r *run) cleanUp(ctx context.Context) {
	if len(r.temporary) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, cleanUpWithin)
	defer cancel()
	var trouble error
	for _, w := range slices.Backward(r.temporary) {
		if err := r.anywhere(func(p *peer) error { return w.remove(ctx, p.client) }); err != nil && !errors.Is(err, client.ErrNotFound) {
			trouble = err
			r.report.LeftBehind = append(r.report.LeftBehind, w.what+" "+w.name)
		}
	}
	if trouble != nil {
		r.report.add("clean-up", Fail, "left behind: %s; the node %s", strings.Join(r.report.LeftBehind, ", "), reason(trouble))
		return
	}
	took, err := until(ctx, r.o.Within, r.nothingLeft)
	if err != nil {
		r.report.add("clean-up", Fail, "removed, but not gone after %v: %s", r.o.Within, oneLine(err))
		return
	}
	r.report.add("clean-up", Pass, "%s removed, gone everywhere after %v", counted(len(r.temporary), "temporary name"), shown(took))
}

func (w written) remove(ctx context.Context, c *client.Client) error {
	switch w.what {
	case "key":
		return c.KV.Delete(ctx, w.name, "")
	case "agent":
		return c.Agents.Delete(ctx, w.name)
	}
	return c.Policies.Delete(ctx, w.name)
}

// anywhere tries the nodes one after the other.
func (r *run) anywhere(do func(*peer) error) (err error) {
	for _, p := range r.up() {
		if err = do(p); err == nil || errors.Is(err, client.ErrNotFound) {
			return err
		}
	}
	if err == nil {
		err = errors.New("no node answers any more")
	}
	return err
}

// nothingLeft is nil when no node lists anything with the prefix.
func (r *run) nothingLeft(ctx context.Context) error {
	return errors.Join(eachPeer(r.up(), func(p *peer) error {
		page := client.ListOptions{Prefix: r.report.Prefix, Limit: 1}
		keys, err := p.client.KV.List(ctx, client.KeyListOptions{ListOptions: page})
		if err != nil {
			return fmt.Errorf("%s %s", p.name, reason(err))
		}
		agents, err := p.client.Agents.List(ctx, page)
		if err != nil {
			return fmt.Errorf("%s %s", p.name, reason(err))
		}
		policies, err := p.client.Policies.List(ctx, client.ListOptions{After: r.report.Prefix, Limit: 1})
		switch {
		case err != nil:
			return fmt.Errorf("%s %s", p.name, reason(err))
		case len(keys.Keys) > 0:
			return fmt.Errorf("%s has the key %s", p.name, keys.Keys[0].Key)
		case len(agents.Agents) > 0:
			return fmt.Errorf("%s has the agent %s", p.name, agents.Agents[0].Agent)
		case len(policies.Policies) > 0 && strings.HasPrefix(policies.Policies[0].Name, r.report.Prefix):
			return fmt.Errorf("%s has the policy %s", p.name, policies.Policies[0].Name)
		}
		return nil
	})...)
}

// oneLine joins what several nodes complained of.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
