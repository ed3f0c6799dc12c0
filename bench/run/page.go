package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// publish puts sections into the results file, and the page and its plots in
// accordance with it.
func publish(o options, done []section, progress io.Writer) error {
	known, err := readResults(o.results)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.plots, 0o755); err != nil {
		return err
	}
	for _, s := range done {
		known[s.Name] = s
		for file, svg := range s.Plots {
			if err := os.WriteFile(filepath.Join(o.plots, file), []byte(svg), 0o644); err != nil {
				return err
			}
		}
	}
	if err := writePage(o.page, known); err != nil {
		return err
	}
	fmt.Fprintf(progress, "bench: wrote %s, its plots and %s\n", o.page, o.results)
	return writeResults(o.results, known)
}

func readResults(file string) (map[string]section, error) {
	known := map[string]section{}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return known, nil
}

func writeResults(file string, known map[string]section) error {
	text, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// writePage rewrites what lies between the markers of each section, and the
// table of all goals.
func writePage(page string, known map[string]section) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text := string(old)
	var goals []goal
	for _, p := range parts {
		s, ok := known[p.name]
		if !ok {
			continue
		}
		goals = append(goals, s.Goals...)
		if text, err = splice(text, p.name, s.markdown()); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	met := len(slices.DeleteFunc(slices.Clone(goals), func(g goal) bool { return !g.Met }))
	summary := fmt.Sprintf("%d of %d goals are met.\n\n%s", met, len(goals), goalTable(goals))
	if text, err = splice(text, "goals", summary); err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, []byte(text), 0o644)
}

// splice replaces what lies between the markers of a name.
func splice(page, name, text string) (string, error) {
	begin, end := "<!-- bench:"+name+":begin -->", "<!-- bench:"+name+":end -->"
	head, rest, found := strings.Cut(page, begin)
	if !found {
		return "", fmt.Errorf("no %s", begin)
	}
	_, tail, found := strings.Cut(rest, end)
	if !found {
		return "", fmt.Errorf("no %s after %s", end, begin)
	}
	return head + begin + "\n" + text + "\n" + end + tail, nil
}
