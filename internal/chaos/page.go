package chaos

import (
	"errors"
	"os"
	"strings"
)

const (
	tableBegin = "<!-- chaos:begin -->\n"
	tableEnd   = "<!-- chaos:end -->"
)

var errNoMarkers = errors.New("chaos: the page has no markers for the table")

// WriteTable replaces what is between the markers of a page.
func WriteTable(path string, results []Result) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(page), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		return errNoMarkers
	}
	return os.WriteFile(path, []byte(before+tableBegin+Table(results)+"\n"+Legend(Faults())+tableEnd+after), 0o600)
}
