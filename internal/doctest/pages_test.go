package doctest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// pages returns README.md and the pages under docs/, by path from the root.
func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			found = append(found, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryCurlExampleIsRun(t *testing.T) {
	for _, name := range pages(t) {
		lines, err := untested(read(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, line := range lines {
			t.Errorf("%s:%d: a curl command outside of a console block is never tried", name, line)
		}
	}
}

// TestPagesDoWhatTheyShow types every page. Each page has a world of its own: a
// fresh copy of the repository, free ports, no node running. The README has to
// build and start clawd by itself, as its reader does; other pages find
// bin/clawd built.
func TestPagesDoWhatTheyShow(t *testing.T) {
	var typed int
	for _, name := range pages(t) {
		all, err := steps(read(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		typed += len(all)
		if len(all) == 0 {
			continue // prose
		}
		t.Run(name, func(t *testing.T) { typePage(t, name, all) })
	}
	if typed == 0 {
		t.Fatal("no page has a console block: nothing was tried")
	}
}

func typePage(t *testing.T, name string, all []step) {
	dir := t.TempDir()
	if err := clone(root, dir); err != nil {
		t.Fatal(err)
	}
	s := newSession(t, dir)
	if name != "README.md" {
		all = append([]step{{command: "make build"}}, all...)
	}
	if err := s.run(t.Context(), all); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
