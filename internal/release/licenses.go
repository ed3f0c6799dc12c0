package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// known are licenses by words that no other of them has, the more particular
// first. All allow redistribution with their text.
var known = []struct {
	spdx  string
	words []string
}{
	{"MPL-2.0", []string{"mozilla public license", "version 2.0"}},
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"}},
	{"ISC", []string{"permission to use, copy, modify, and distribute this software for any purpose with or without fee"}},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "neither the name"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "names of its contributors may not"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "name of the author may not be used"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
	{"CC0-1.0", []string{"cc0 1.0 universal"}},
}

// classify names a license by its text; empty when it is not known.
func classify(text string) string {
	plain := strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, l := range known {
		if !slices.ContainsFunc(l.words, func(w string) bool { return !strings.Contains(plain, w) }) {
			return l.spdx
		}
	}
	return ""
}

var moduleCache = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	return strings.TrimSpace(string(out)), err
})

// licenseText reads the license files of a module, most often one.
func licenseText(path, version string) (string, error) {
	cache, err := moduleCache()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, filepath.FromSlash(escape(path)+"@"+escape(version)))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("%s %s: not in the module cache (go mod download): %w", path, version, err)
	}
	var texts []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICENSE") && !strings.HasPrefix(name, "LICENCE") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		texts = append(texts, strings.TrimSpace(string(text)))
	}
	if len(texts) == 0 {
		return "", fmt.Errorf("%s %s: no license file", path, version)
	}
	return strings.Join(texts, "\n\n"), nil
}

// escape is how the module cache writes upper case: '!' and the lower one.
func escape(path string) string {
	var b strings.Builder
	for _, r := range path {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('!')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func writeLicenses(out io.Writer, p parts) error {
	var b strings.Builder
	fmt.Fprintf(&b, "clawd %s (%s) is made of the modules below and of the Go %s standard library (BSD-3-Clause).\n\n", p.version, p.target, p.golang)
	for _, m := range p.modules {
		fmt.Fprintf(&b, "%-14s %s %s\n", m.license, m.path, m.version)
	}
	for _, m := range p.modules {
		fmt.Fprintf(&b, "\n%s\n%s %s, %s\n\n%s\n", strings.Repeat("=", 80), m.path, m.version, m.license, m.text)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
