package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A backup is a directory with the files of the store in data/ and a manifest
// that names them with their checksums. The manifest, whose own checksum stands
// beside it, is written last: without one there is no backup.
const (
	backupManifest = "backup.json"
	backupSum      = backupManifest + ".sha256" // for sha256sum -c
	backupData     = "data"
	backupVersion  = 1
)

// BackupManifest describes a backup.
type BackupManifest struct {
	Version int          `json:"version"` // of this manifest
	Schema  int          `json:"schema"`  // SchemaVersion of the data
	Node    string       `json:"node"`    // whose data they are; empty before InitSelf
	Cluster string       `json:"cluster"`
	Files   []BackupFile `json:"files"`
}

// BackupFile is one file of a backup.
type BackupFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes is the size of all files.
func (m BackupManifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Bytes
	}
	return n
}

func writeManifest(fsys vfs.FS, dir string, m BackupManifest) error {
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	body = append(body, '\n')
	sum := manifestSum(body)
	if err := writeFile(fsys, fsys.PathJoin(dir, backupSum), []byte(sum)); err != nil {
		return err
	}
	part := fsys.PathJoin(dir, backupManifest+".part")
	if err := writeFile(fsys, part, body); err != nil {
		return err
	}
	if err := fsys.Rename(part, fsys.PathJoin(dir, backupManifest)); err != nil {
		return err
	}
	return syncDir(fsys, dir)
}

// manifestSum is the line that sha256sum prints for the manifest.
func manifestSum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]) + "  " + backupManifest + "\n"
}

func readManifest(fsys vfs.FS, dir string) (m BackupManifest, err error) {
	body, err := readFile(fsys, fsys.PathJoin(dir, backupManifest))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("there is no %s, so this is not a finished backup: %w", backupManifest, ErrUnreadable)
	}
	if err != nil {
		return m, err
	}
	sum, err := readFile(fsys, fsys.PathJoin(dir, backupSum))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if string(sum) != manifestSum(body) {
		return m, fmt.Errorf("%s does not match its checksum: %w", backupManifest, ErrCorrupt)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("%s: %w: %w", backupManifest, ErrCorrupt, err)
	}
	if m.Version != backupVersion || m.Schema > SchemaVersion {
		return m, fmt.Errorf("%s is version %d with schema %d, this build reads %d with up to %d: %w",
			backupManifest, m.Version, m.Schema, backupVersion, SchemaVersion, ErrUnreadable)
	}
	return m, m.check(fsys)
}

// check refuses names that lead out of the backup.
func (m BackupManifest) check(fsys vfs.FS) error {
	for _, f := range m.Files {
		if fsys.PathBase(f.Name) != f.Name || f.Name == "." || f.Name == ".." {
			return fmt.Errorf("%s names %q, which is no file name: %w", backupManifest, f.Name, ErrCorrupt)
		}
	}
	return nil
}
