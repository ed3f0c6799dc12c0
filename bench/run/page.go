package main

import (
	"fmt"
	"os"
	"strings"
)

const (
	beginMarker = "<!-- bench:begin -->"
	endMarker   = "<!-- bench:end -->"
)

// replaceBetweenMarkers rewrites the part of a page that a run owns.
func replaceBetweenMarkers(page, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	updated, err := splice(string(old), text)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, []byte(updated), 0o644)
}

func splice(page, text string) (string, error) {
	head, rest, found := strings.Cut(page, beginMarker)
	if !found {
		return "", fmt.Errorf("no %s", beginMarker)
	}
	_, tail, found := strings.Cut(rest, endMarker)
	if !found {
		return "", fmt.Errorf("no %s after %s", endMarker, beginMarker)
	}
	return head + beginMarker + "\n" + text + "\n" + endMarker + tail, nil
}
