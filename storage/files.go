package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// copyFile copies and syncs a file, and describes what it read.
func copyFile(fsys vfs.FS, from, to string) (_ BackupFile, err error) {
	src, err := fsys.Open(from, vfs.SequentialReadsOption)
	if err != nil {
		return BackupFile{}, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := fsys.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return BackupFile{}, err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	f, err := describe(src, dst)
	return f, firstError(err, dst.Sync())
}

// describe measures what it reads, and passes it on to w.
func describe(r io.Reader, w io.Writer) (BackupFile, error) {
	sum := sha256.New()
	// The sum comes first: a vfs.File may change the bytes it is given to write.
	n, err := io.Copy(io.MultiWriter(sum, w), r)
	return BackupFile{Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

func listFiles(fsys vfs.FS, dir string) ([]BackupFile, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	files := make([]BackupFile, 0, len(names))
	for _, name := range names {
		f, err := describeFile(fsys, fsys.PathJoin(dir, name))
		if err != nil {
			return nil, err
		}
		f.Name = name
		files = append(files, f)
	}
	return files, nil
}

func describeFile(fsys vfs.FS, path string) (_ BackupFile, err error) {
	f, err := fsys.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return BackupFile{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return describe(f, io.Discard)
}

// mustBeEmpty accepts a directory that is empty or not there.
func mustBeEmpty(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	return nil
}

// makeDir makes a directory with its parents, and makes their names durable: a
// synced file in a directory whose name a crash takes is lost all the same.
func makeDir(fsys vfs.FS, dir string) error {
	var grown []string // directories that get a new name in them
	for d := dir; ; d = fsys.PathDir(d) {
		_, err := fsys.Stat(d)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		grown = append(grown, fsys.PathDir(d))
		if fsys.PathDir(d) == d {
			break
		}
	}
	if err := fsys.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	for _, d := range grown {
		if err := syncDir(fsys, d); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(fsys vfs.FS, path string, b []byte) (err error) {
	f, err := fsys.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

func readFile(fsys vfs.FS, path string) (_ []byte, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}

func syncDir(fsys vfs.FS, dir string) (err error) {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
