package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/openclaw/clawd/storage"
)

// openStore opens the data directory. A corrupt one is moved aside when the
// options allow it, so that the node starts as a new one and loads everything
// from a peer; rebuilt tells that this happened.
func openStore(o Options, hooks storage.Options) (store *storage.Store, rebuilt bool, err error) {
	if err := setForgottenAside(o); err != nil {
		return nil, false, err
	}
	dir := storeDir(o.DataDir)
	store, err = o.tuning.openStore(dir, hooks)
	if err == nil || !errors.Is(err, storage.ErrCorrupt) {
		return store, false, err
	}
	o.Logger.Error("the store is corrupt", "dir", dir, "error", err)
	if !o.AutoRebuild {
		return nil, false, fmt.Errorf("%s: %w; restore a backup, or start with auto-rebuild to load it from a peer", dir, storage.ErrCorrupt)
	}
	if len(o.Join) == 0 {
		return nil, false, fmt.Errorf("%s: %w, and it cannot be rebuilt without a peer to join", dir, storage.ErrCorrupt)
	}
	aside, err := moveAside(dir, o.Now().Unix())
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w, and it cannot be moved aside: %w", dir, storage.ErrCorrupt, err)
	}
	o.Logger.Warn("the store is rebuilt from a peer", "old_data", aside)
	store, err = o.tuning.openStore(dir, hooks)
	return store, true, err
}

// storeDir is where the store is, beside the gossip snapshot.
func storeDir(dataDir string) string { return filepath.Join(dataDir, "store") }

// moveAside renames dir so that nothing of it is lost, and returns the new
// name.
func moveAside(dir string, stamp int64) (string, error) {
	aside := fmt.Sprintf("%s.set-aside-%d", dir, stamp)
	if _, err := os.Lstat(aside); err == nil {
		return "", fmt.Errorf("%s is in the way", aside)
	}
	return aside, os.Rename(dir, aside)
}
