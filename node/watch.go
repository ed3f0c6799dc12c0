package node

import (
	"context"
	"errors"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/node/replica"
)

// watchBuffer is how many changes wait for a reader, and watchPatience how long
// they wait for one that does not read. Its stream then ends, and it resumes
// from its last token.
const (
	watchBuffer   = 256
	watchPatience = 30 * time.Second
)

// WatchKeys implements api.Watcher.
func (p public) WatchKeys(ctx context.Context, tenant, prefix, token string) (api.Subscription, error) {
	if err := p.n.started(); err != nil {
		return api.Subscription{}, err
	}
	n := p.n
	w, err := n.replica.Watch(n.now(), tenant, prefix, token)
	if errors.Is(err, replica.ErrToken) {
		return api.Subscription{}, api.Invalid("token", "is not one this cluster gave out")
	}
	if err != nil {
		return api.Subscription{}, apiError(err)
	}
	begin := w.Token(n.now()) // before the watch belongs to its goroutine
	changes := make(chan api.Change, watchBuffer)
	n.group.Go("watcher", func(stopping context.Context) error {
		defer close(changes)
		n.follow(ctx, stopping, w, changes)
		return nil
	})
	return api.Subscription{Token: begin, Changes: changes}, nil
}

// follow passes changes on until its reader goes, is too slow, or the node
// stops.
func (n *Node) follow(ctx, stopping context.Context, w *replica.Watch, changes chan<- api.Change) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	for {
		b, err := w.Next(n.now())
		if err != nil {
			n.log.Warn("a change stream ended", "error", err)
			return
		}
		if !deliver(ctx, changes, changesOf(&b, w.Token(n.now()))) {
			return
		}
		if b.Ready == nil {
			continue
		}
		select {
		case <-b.Ready:
		case <-ctx.Done():
			return
		}
	}
}

// changesOf translates a batch. Only its last change carries the token: what
// lies between two tokens comes again when the stream is cut in between.
func changesOf(b *replica.Batch, token string) []api.Change {
	list := make([]api.Change, 0, len(b.Changes)+1)
	if b.Reset {
		list = append(list, api.Change{Reset: true})
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		list = append(list, api.Change{Deleted: c.Deleted, Record: recordOf(&c.Entry)})
	}
	if len(list) > 0 {
		list[len(list)-1].Token = token
	}
	return list
}

// deliver hands changes to the reader; false means it is gone or too slow.
func deliver(ctx context.Context, to chan<- api.Change, list []api.Change) bool {
	if len(list) == 0 {
		return ctx.Err() == nil
	}
	patience := time.NewTimer(watchPatience)
	defer patience.Stop()
	for i := range list {
		select {
		case to <- list[i]:
			patience.Reset(watchPatience)
		case <-patience.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}
