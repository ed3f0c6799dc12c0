package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyTheMarkedPartOfAPageIsReplaced(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	const before = "# Title\n\n" + beginMarker + "\nold\nlines\n" + endMarker + "\n\nrest\n"
	const after = "# Title\n\n" + beginMarker + "\nnew\n" + endMarker + "\n\nrest\n"
	if err := os.WriteFile(page, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time finds what the first wrote
		if err := replaceBetweenMarkers(page, "new"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != after {
			t.Fatalf("got\n%s\nwant\n%s", got, after)
		}
	}
}

func TestAPageWithoutMarkersIsLeftAlone(t *testing.T) {
	for _, page := range []string{"", "# Title\n", beginMarker + "\n", endMarker + beginMarker} {
		if got, err := splice(page, "new"); err == nil {
			t.Errorf("%q became %q", page, got)
		}
	}
}
