package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/openclaw/clawd/api"
)

// ErrForgotten: the cluster was told that this node is gone for good, and no
// longer keeps what it would need to come back.
var ErrForgotten = errors.New("this node has left the cluster for good or was forgotten; its data are set aside at the next start, and it joins as a new one")

// castOut handles the word of a peer that this node does not belong. A node
// that was forgotten stops: nobody keeps for it any longer what it misses, so
// it must begin anew.
func (n *Node) castOut(err error) {
	if !errors.Is(err, api.ErrGone) {
		n.health.degrade(reasonOutcast, fmt.Sprintf("a peer refuses this node's pages: %v", err))
		return
	}
	n.group.fail(fmt.Errorf("%w: %w", ErrForgotten, errors.Join(err, markForgotten(n.options.DataDir))))
}

// markForgotten remembers that the data directory must not be used again.
func markForgotten(dataDir string) error { return os.WriteFile(forgottenMark(dataDir), nil, 0o600) }

func forgottenMark(dataDir string) string { return filepath.Join(dataDir, "forgotten") }

// setForgottenAside moves the data of a forgotten node away, so that it starts
// as a new one. Without a peer to join it refuses, since it would be alone.
func setForgottenAside(o Options) error {
	mark := forgottenMark(o.DataDir)
	if _, err := os.Stat(mark); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if len(o.Join) == 0 {
		return fmt.Errorf("%s: %w; it needs a peer to join", o.DataDir, ErrForgotten)
	}
	aside, err := moveAside(storeDir(o.DataDir), o.Now().Unix())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	o.Logger.Warn("this node was forgotten or had left for good; it starts as a new one", "old_data", aside)
	return os.Remove(mark)
}
