// Command release writes what travels with a binary: the list of what it is made
// of (CycloneDX) and the licenses of that.
//
//	release sbom BINARY        a CycloneDX document on standard output
//	release licenses BINARY    the text of every license on standard output
//
// Both read the modules that the Go linker noted in the binary, which is what is
// really in it. License texts are read from the module cache; a module without
// one, or with one that is not known to allow redistribution, is an error. The
// output depends on the binary and the cache alone, so equal binaries give
// equal documents.
package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: release sbom|licenses BINARY")
	}
	parts, err := read(args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "sbom":
		return writeSBOM(out, parts)
	case "licenses":
		return writeLicenses(out, parts)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// parts is what a binary says it is made of.
type parts struct {
	version string
	golang  string
	target  string // linux/amd64
	commit  string
	modules []module
}

type module struct {
	path, version string
	sum           string // h1:…, of go.sum
	license       string // SPDX
	text          string
}

func read(binary string) (parts, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return parts{}, err
	}
	p := parts{golang: strings.TrimPrefix(info.GoVersion, "go")}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	p.target = settings["GOOS"] + "/" + settings["GOARCH"]
	p.commit = settings["vcs.revision"]
	p.version = versionOf(settings["-ldflags"])
	var errs []error
	for _, dep := range info.Deps {
		m, err := moduleOf(dep)
		errs = append(errs, err)
		p.modules = append(p.modules, m)
	}
	slices.SortFunc(p.modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return p, errors.Join(errs...)
}

func moduleOf(dep *debug.Module) (module, error) {
	if dep.Replace != nil {
		return module{}, fmt.Errorf("%s is replaced: a release is made of released modules", dep.Path)
	}
	m := module{path: dep.Path, version: dep.Version, sum: dep.Sum}
	text, err := licenseText(dep.Path, dep.Version)
	if err != nil {
		return m, err
	}
	m.text = text
	if m.license = classify(text); m.license == "" {
		return m, fmt.Errorf("%s %s: its license is not one of those that are known: look at it, and add it to licenses.go", dep.Path, dep.Version)
	}
	return m, nil
}

// versionOf finds the version that the linker was told.
func versionOf(ldflags string) string {
	_, rest, found := strings.Cut(ldflags, "buildinfo.version=")
	if !found {
		return "unknown"
	}
	version, _, _ := strings.Cut(rest, " ")
	return strings.Trim(version, `"'`)
}
