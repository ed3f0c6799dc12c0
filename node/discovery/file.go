package discovery

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

const (
	fileEvery    = 2 * time.Second
	maxFileBytes = 1 << 20
)

// file is an address a line; '#' begins a comment. It is read again when its
// size or time changed; a file that is not there yet is an empty one.
type file struct {
	path  string
	stamp stamp
	list  []string
	err   error
}

type stamp struct {
	size int64
	time time.Time
}

func newFile(item string) (Source, error) {
	path := strings.TrimPrefix(item, kindFile)
	if path == "" {
		return nil, fmt.Errorf("join %q: want file:path", item)
	}
	return &file{path: path}, nil
}

func (f *file) Every() time.Duration { return fileEvery }
func (f *file) String() string       { return kindFile + f.path }

func (f *file) Addresses(context.Context) ([]string, error) {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.stamp, f.list, f.err = stamp{}, nil, nil
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("join file: %w", err)
	}
	if now := (stamp{info.Size(), info.ModTime()}); now != f.stamp {
		f.stamp = now
		f.list, f.err = f.read()
	}
	return f.list, f.err
}

func (f *file) read() ([]string, error) {
	in, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("join file: %w", err)
	}
	defer func() { _ = in.Close() }()
	text, err := io.ReadAll(io.LimitReader(in, maxFileBytes))
	if err != nil {
		return nil, fmt.Errorf("join file: %w", err)
	}
	return parseLines(f.path, text)
}

// parseLines takes what can be understood; one bad line does not hide the
// others.
func parseLines(path string, text []byte) (list []string, err error) {
	var errs []error
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxFileBytes+1)
	for n := 1; lines.Scan() && len(list) < maxAddresses; n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		a, err := address(line, DefaultPort)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", path, n, err))
			continue
		}
		list = append(list, a)
	}
	return list, errors.Join(append(errs, lines.Err())...)
}
