package storage

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Restore makes a backup the store of dataDir, which must be empty or not exist.
// Every file is checked on its way; dataDir appears whole or not at all. The
// process that opens it starts a new run, as every process does, so what the
// cluster has heard since the backup is not lost or counted twice.
func Restore(backupDir, dataDir string) (BackupManifest, error) {
	m, err := restore(vfs.Default, backupDir, dataDir)
	if err != nil {
		return BackupManifest{}, fmt.Errorf("storage: restore %s to %s: %w", backupDir, dataDir, err)
	}
	return m, nil
}

func restore(fsys vfs.FS, backupDir, dataDir string) (BackupManifest, error) {
	dataDir = fsys.PathJoin(dataDir) // without a trailing slash
	m, err := readManifest(fsys, backupDir)
	if err != nil {
		return BackupManifest{}, err
	}
	if err := mustBeEmpty(fsys, dataDir); err != nil {
		return BackupManifest{}, err
	}
	part := dataDir + ".restoring"
	if err := mustBeEmpty(fsys, part); err != nil {
		return BackupManifest{}, fmt.Errorf("%s is left from an earlier try, remove it: %w", part, err)
	}
	if err := copyBackup(fsys, m, fsys.PathJoin(backupDir, backupData), part); err != nil {
		return BackupManifest{}, errors.Join(err, fsys.RemoveAll(part))
	}
	if err := fsys.Remove(dataDir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return BackupManifest{}, err
	}
	if err := fsys.Rename(part, dataDir); err != nil {
		return BackupManifest{}, err
	}
	return m, syncDir(fsys, fsys.PathDir(dataDir))
}

func copyBackup(fsys vfs.FS, m BackupManifest, from, to string) error {
	if err := makeDir(fsys, to); err != nil {
		return err
	}
	for _, want := range m.Files {
		got, err := copyFile(fsys, fsys.PathJoin(from, want.Name), fsys.PathJoin(to, want.Name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("file %s of the backup is missing: %w", want.Name, ErrCorrupt)
		}
		if err != nil {
			return err
		}
		if got.Bytes != want.Bytes || got.SHA256 != want.SHA256 {
			return fmt.Errorf("file %s of the backup is not what was written: %w", want.Name, ErrCorrupt)
		}
	}
	return syncDir(fsys, to)
}
