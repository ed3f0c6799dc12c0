package storage

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// checkpointer is an engine with files.
type checkpointer interface {
	checkpoint(dir string) error
	fileSystem() vfs.FS
}

func (e *pebbleEngine) checkpoint(dir string) error {
	if err := e.usable(); err != nil {
		return err
	}
	err := e.db.Checkpoint(dir, pebble.WithFlushedWAL())
	return firstError(e.failure.err(), err)
}

func (e *pebbleEngine) fileSystem() vfs.FS { return e.fs }

// Backup writes a consistent copy of everything committed so far into dir, which
// must be empty or not exist. Commits go on meanwhile. Tables are hard links
// where dir is on the same file system: cheap, and to be copied elsewhere before
// they are a protection against a failing disk.
func (s *Store) Backup(dir string) (BackupManifest, error) {
	e, ok := s.engine.(checkpointer)
	if !ok {
		return BackupManifest{}, fmt.Errorf("storage: backup: %w", ErrUnsupported)
	}
	m, err := s.backup(e, dir)
	if err != nil {
		return BackupManifest{}, fmt.Errorf("storage: backup to %s: %w", dir, err)
	}
	return m, nil
}

func (s *Store) backup(e checkpointer, dir string) (BackupManifest, error) {
	fsys := e.fileSystem()
	if err := mustBeEmpty(fsys, dir); err != nil {
		return BackupManifest{}, err
	}
	self, found, err := s.Self()
	if err != nil {
		return BackupManifest{}, err
	}
	if err := makeDir(fsys, dir); err != nil {
		return BackupManifest{}, err
	}
	data := fsys.PathJoin(dir, backupData)
	if err := e.checkpoint(data); err != nil {
		return BackupManifest{}, err // it has cleaned up after itself
	}
	m := BackupManifest{Version: backupVersion, Schema: SchemaVersion, Cluster: self.Cluster}
	if found {
		m.Node = self.Node.String()
	}
	m.Files, err = listFiles(fsys, data)
	if err == nil {
		err = writeManifest(fsys, dir, m)
	}
	if err != nil {
		return BackupManifest{}, errors.Join(err, fsys.RemoveAll(data))
	}
	return m, nil
}
