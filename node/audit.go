package node

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/openclaw/clawd/node/antientropy"
)

// auditLoop compares this node's facts with those of one random peer, every
// AuditInterval and after a storm of gaps. Equal vectors promise equal facts;
// where they differ all the same, something was lost that no pull would ever
// bring back.
func (n *Node) auditLoop(ctx context.Context) error {
	ticker := time.NewTicker(n.options.AuditInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-n.gaps.storm:
			n.log.Warn("many pages of peers did not fit; comparing digests")
		}
		if m, ok := n.peers.random(); ok {
			if err := n.audit(ctx, m); err != nil && ctx.Err() == nil {
				n.metrics.auditErrors.Inc()
				n.log.Warn("an audit failed", "peer", m.name, "error", err)
			}
		}
	}
}

func (n *Node) audit(ctx context.Context, m member) error {
	n.metrics.audits.Inc()
	answer, err := n.client.digest(ctx, m.peer)
	if err != nil {
		return err
	}
	theirs, err := antientropy.DecodeDigest(answer)
	if err != nil {
		return err
	}
	ours, err := n.replica.Digest(n.now())
	if err != nil {
		return err
	}
	if !ours.Comparable(theirs) {
		return nil // not quiet enough to be compared
	}
	repaired := 0
	for i := range ours.Buckets {
		if ours.Buckets[i] == theirs.Buckets[i] {
			continue
		}
		rows, err := n.auditBucket(ctx, m, i)
		if err != nil {
			return err
		}
		repaired += rows
	}
	if repaired > 0 {
		n.metrics.auditRepaired.Add(float64(repaired))
		n.log.Error("an audit found rows that the version vector said were here", "peer", m.name, "rows", repaired)
	}
	return nil
}

// auditBucket takes over what the peer has of one bucket.
func (n *Node) auditBucket(ctx context.Context, m member, bucket int) (repaired int, err error) {
	body, err := n.client.bucket(ctx, m.peer, binary.AppendUvarint(nil, uint64(bucket)))
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	in := bufio.NewReader(body)
	for {
		message, err := antientropy.ReadFrame(in, nil)
		if errors.Is(err, io.EOF) {
			return repaired, nil
		}
		if err != nil {
			return repaired, err
		}
		page, err := antientropy.DecodePage(message)
		if err != nil {
			return repaired, err
		}
		rows, err := n.replica.MergeAudit(n.now(), page)
		repaired += rows
		if err != nil {
			return repaired, err
		}
	}
}
