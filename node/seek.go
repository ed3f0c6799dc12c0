package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/openclaw/clawd/node/discovery"
)

// seeker looks for nodes to join: until the first is met, again whenever the
// last one is lost, and now and then, so that two halves of a cluster that
// started apart find each other. Serf itself tries the members of its snapshot
// and reconnects failed ones.
type seeker struct {
	sources []discovery.Source
	members seekable
	self    string // this node's gossip address, which every source may name
	every   time.Duration
	now     func() time.Time
	log     *slog.Logger

	answered atomic.Bool          // every source answered at least once
	due      []time.Time          // when to look at each source again though peers are known
	tried    map[string]time.Time // strangers that did not answer
}

// seekable is what a seeker needs of membership.
type seekable interface {
	reachable() []member
	joinNow(addrs []string) (int, error)
}

const (
	lookupTimeout = 30 * time.Second
	// strangersAtOnce bounds a look while peers are known: each that is gone
	// costs a timeout. strangerRest is for how long such a one is left alone.
	strangersAtOnce = 8
	strangerRest    = time.Minute
)

var errNobodyYet = errors.New("nobody to join yet")

// run seeks until the context ends.
func (s *seeker) run(ctx context.Context) error {
	if len(s.sources) == 0 {
		return nil
	}
	s.due = make([]time.Time, len(s.sources))
	s.tried = make(map[string]time.Time)
	wait := s.every
	for {
		if len(s.members.reachable()) > 0 {
			s.meetStrangers(ctx)
			wait = s.every
		} else if err := s.joinAny(ctx); err != nil && ctx.Err() == nil {
			s.log.Info("no peer joined yet", "error", err, "again_in", wait)
			wait = min(2*wait, 10*s.every)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(jittered(wait)):
		}
	}
}

// jittered shortens d by up to a quarter, so that nodes that started together
// do not ask together.
func jittered(d time.Duration) time.Duration { return d - rand.N(d/4+1) }

// joinAny asks all sources and joins whomever they name.
func (s *seeker) joinAny(ctx context.Context) error {
	var addrs []string
	var errs []error
	for _, source := range s.sources {
		found, err := s.lookup(ctx, source)
		addrs = append(addrs, found...)
		errs = append(errs, err)
	}
	err := errors.Join(errs...)
	if err == nil {
		s.answered.Store(true)
	}
	if len(addrs) == 0 {
		return cmp.Or(err, errNobodyYet)
	}
	if _, joinErr := s.members.joinNow(addrs); joinErr != nil {
		return errors.Join(joinErr, err)
	}
	if err != nil {
		s.log.Warn("joined, though not everything could be looked up", "error", err)
	}
	return nil
}

// meetStrangers asks the sources whose time has come for nodes that are not
// known as members.
func (s *seeker) meetStrangers(ctx context.Context) {
	now := s.now()
	var strangers []string
	for i, source := range s.sources {
		if source.Every() == 0 || now.Before(s.due[i]) {
			continue
		}
		s.due[i] = now.Add(jittered(source.Every()))
		found, err := s.lookup(ctx, source)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("nodes to join could not be looked up", "source", source.String(), "error", err)
		}
		strangers = append(strangers, found...)
	}
	if strangers = s.unknown(strangers, now); len(strangers) == 0 {
		return
	}
	for _, a := range strangers {
		s.tried[a] = now
	}
	if n, err := s.members.joinNow(strangers); err != nil {
		s.log.Debug("strangers did not answer", "addresses", strangers, "error", err)
	} else {
		s.log.Info("joined nodes that were not known", "answered", n, "addresses", strangers)
	}
}

// unknown are the addresses that no live member has and that were not tried of
// late.
func (s *seeker) unknown(addrs []string, now time.Time) []string {
	for a, at := range s.tried {
		if now.Sub(at) >= strangerRest {
			delete(s.tried, a)
		}
	}
	known := make(map[string]bool)
	for _, m := range s.members.reachable() {
		known[m.gossip] = true
	}
	addrs = slices.DeleteFunc(addrs, func(a string) bool {
		_, tried := s.tried[a]
		return tried || known[a]
	})
	slices.Sort(addrs)
	addrs = slices.Compact(addrs)
	return addrs[:min(len(addrs), strangersAtOnce)]
}

// lookup asks one source, within a bound, for others than this node.
func (s *seeker) lookup(ctx context.Context, source discovery.Source) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := source.Addresses(ctx)
	found = slices.DeleteFunc(slices.Clone(found), func(a string) bool { return a == s.self })
	if err != nil {
		err = fmt.Errorf("%s: %w", source, err)
	}
	return found, err
}

// lookedUp tells whether it is known who else there should be: before that, to
// find nobody means little.
func (s *seeker) lookedUp() bool { return len(s.sources) == 0 || s.answered.Load() }
