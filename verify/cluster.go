package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openclaw/clawd/client"
)

// meet asks every node who it is and how.
func (r *run) meet(ctx context.Context) bool {
	errs := eachPeer(r.peers, func(p *peer) error { return p.introduce(ctx) })
	var complaints []string
	for i, p := range r.peers {
		r.report.Nodes = append(r.report.Nodes, Node{URL: p.url, Name: p.info.Self, Version: memberOf(p.info, p.id).Version})
		switch {
		case errs[i] != nil:
			complaints = append(complaints, p.url+" "+reason(errs[i]))
		case p.health.Status == client.HealthFailed:
			complaints = append(complaints, fmt.Sprintf("%s (%s) is not ready: %s", p.name, p.url, ailments(p.health)))
		}
	}
	r.report.verdict("nodes answer", strings.Join(complaints, "; "), "%s: %s", counted(len(r.peers), "node"), names(r.peers))
	for _, p := range r.peers {
		if p.health.Status == client.HealthDegraded {
			r.report.add("degraded", Note, "%s goes on in a reduced way: %s", p.name, ailments(p.health))
		}
	}
	return len(complaints) == 0
}

var errNotANode = errors.New("answers, but not as a clawd node does (is this the right address?)")

// introduce finds out who the node is.
func (p *peer) introduce(ctx context.Context) (err error) {
	if p.info, err = p.client.Cluster.Get(ctx); err != nil {
		return err
	}
	i := slices.IndexFunc(p.info.Members, func(m client.Member) bool { return m.Name == p.info.Self && m.Node != "" })
	if i < 0 {
		return errNotANode
	}
	p.name, p.id = p.info.Self, p.info.Members[i].Node
	p.health, err = p.client.Health.Check(ctx)
	return err
}

// isOneCluster compares what the nodes told of each other.
func (r *run) isOneCluster() bool {
	r.report.Cluster = r.peers[0].info.Name
	complaint := r.stranger()
	r.report.verdict("one cluster", complaint, "%q%s", r.report.Cluster, map[bool]string{true: ", in which each sees every other one as ready"}[len(r.peers) > 1])
	if others := r.notAsked(); len(others) > 0 {
		r.report.add("not asked", Note, "there are more members: %s. What they have is not checked", strings.Join(others, ", "))
	}
	return complaint == ""
}

// stranger tells of the first two nodes that do not belong together.
func (r *run) stranger() string {
	first := r.peers[0]
	for i, p := range r.peers {
		for _, o := range r.peers[:i] {
			if o.id == p.id {
				return fmt.Sprintf("%s and %s are the same node, %s: name each node once, and no load balancer in front of several", o.url, p.url, p.name)
			}
		}
		if p.info.Name != first.info.Name {
			return fmt.Sprintf("%s is in the cluster %q, but %s in %q", first.url, first.info.Name, p.url, p.info.Name)
		}
	}
	for _, p := range r.peers {
		for _, o := range r.peers {
			switch m := memberOf(p.info, o.id); {
			case o == p || m.State == client.StateReady:
			case m.State == "":
				return fmt.Sprintf("%s (%s) does not know %s (%s): both are called %q, but were never joined (clawd members join)", p.name, p.url, o.name, o.url, p.info.Name)
			default:
				return fmt.Sprintf("%s (%s) sees %s as %s", p.name, p.url, o.name, m.State)
			}
		}
	}
	return ""
}

// notAsked are members that were not named.
func (r *run) notAsked() []string {
	others := map[string]bool{}
	for _, p := range r.peers {
		for _, m := range p.info.Members {
			asked := slices.ContainsFunc(r.peers, func(p *peer) bool { return p.id == m.Node })
			if !asked && m.State != client.StateLeft {
				others[fmt.Sprintf("%s (%s)", m.Name, m.State)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(others))
}

func memberOf(c client.ClusterInfo, id string) client.Member {
	for _, m := range c.Members {
		if m.Node == id && id != "" {
			return m
		}
	}
	return client.Member{}
}

// whoIsDown finds the nodes that stopped answering. What they have is not waited
// for.
func (r *run) whoIsDown(ctx context.Context) {
	errs := eachPeer(r.peers, func(p *peer) error {
		_, err := until(ctx, time.Second, func(ctx context.Context) error {
			_, err := p.client.Cluster.Get(ctx)
			return err
		})
		return err
	})
	for i, p := range r.peers {
		p.down = errs[i]
	}
}

// Differences of clocks: limits do not depend on them, the order of registers does.
const (
	// largestSkew is how far a node lets a peer pull its clock for versions.
	largestSkew = 5 * time.Second
	notedSkew   = time.Second
)

// judgeClocks reads what the nodes tell of each other at the end.
func (r *run) judgeClocks(ctx context.Context) {
	var skew, silent time.Duration
	var between string
	var lag int64
	peers := r.up()
	infos := make([]client.ClusterInfo, len(peers))
	for i, err := range eachPeer(peers, func(p *peer) (err error) {
		infos[slices.Index(peers, p)], err = p.client.Cluster.Get(ctx)
		return err
	}) {
		if err != nil {
			r.report.add("clocks", Fail, "%s %s", peers[i].name, reason(err))
			return
		}
		for _, o := range peers {
			m := memberOf(infos[i], o.id)
			if s := (time.Duration(m.ClockSkewMS) * time.Millisecond).Abs(); s > skew {
				skew, between = s, fmt.Sprintf(", of %s as %s sees it", o.name, peers[i].name)
			}
			silent, lag = max(silent, time.Duration(m.StalenessMS)*time.Millisecond), max(lag, m.LagRows)
		}
	}
	if len(peers) < 2 {
		return
	}
	status := Pass
	switch {
	case skew > largestSkew:
		status = Fail
	case skew > notedSkew:
		status = Note
	}
	r.report.add("clocks", status, "the largest difference is %v%s; writes are in order up to %v", shown(skew), between, largestSkew)
	r.report.add("lag", Note, "at the end the oldest news of a peer was %v old, and at most %s a peer had not confirmed yet", shown(silent), counted(int(lag), "row"))
}

// reason is what a call's error means to somebody who named the node.
func reason(err error) string {
	switch {
	case errors.Is(err, errNotANode):
		return err.Error()
	case errors.Is(err, client.ErrUnreachable):
		return "cannot be reached: " + strings.TrimPrefix(err.Error(), client.ErrUnreachable.Error()+": ")
	case errors.Is(err, client.ErrUnauthorized):
		return "wants a valid API key in OPENCLAW_API_KEY: " + err.Error()
	case errors.Is(err, client.ErrForbidden):
		return "forbids that to the API key in OPENCLAW_API_KEY: " + err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "does not answer in time"
	}
	return "failed: " + err.Error()
}

func ailments(h client.HealthInfo) string {
	var all []string
	for _, c := range h.Checks {
		if c.Status != client.HealthOK {
			all = append(all, strings.TrimSuffix(c.Name+": "+c.Detail, ": "))
		}
	}
	if len(all) == 0 {
		return h.Status
	}
	return strings.Join(all, ", ")
}

func names(peers []*peer) string {
	all := make([]string, len(peers))
	for i, p := range peers {
		all[i] = p.name
	}
	return strings.Join(all, ", ")
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
