package node

import (
	"fmt"
	"os"

	"github.com/openclaw/clawd/storage"
)

// Restore fills the store of a data directory that no node has open from a
// backup that a node has written. The store must not exist or be empty; it
// appears whole or not at all. The node that opens it starts a new run and
// learns from its peers what happened since.
func Restore(backup, dataDir string) error {
	if err := os.MkdirAll(dataDir, 0o750); err != nil {
		return fmt.Errorf("the data directory cannot be used: %w", err)
	}
	_, err := storage.Restore(backup, storeDir(dataDir))
	return err
}
