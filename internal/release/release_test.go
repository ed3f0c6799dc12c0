package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	for want, text := range map[string]string{
		"MIT":          "MIT License\n\nPermission is hereby granted, free of charge, to any person\nobtaining a copy",
		"Apache-2.0":   "Apache License\n  Version 2.0, January 2004",
		"MPL-2.0":      "Mozilla Public License, version 2.0",
		"BSD-3-Clause": "Redistribution and use in source and binary forms … Neither the name of",
		"BSD-2-Clause": "Redistribution and use in source and binary forms, with or without",
		"":             "GNU Affero General Public License",
	} {
		if got := classify(text); got != want {
			t.Errorf("%.30q: got %q, want %q", text, got, want)
		}
	}
}

func TestVersionOf(t *testing.T) {
	for in, want := range map[string]string{
		"-s -w -X github.com/openclaw/clawd/internal/buildinfo.version=v1.2.3": "v1.2.3",
		`"-X x/internal/buildinfo.version=v1.2.3-4-gabc" -s`:                   "v1.2.3-4-gabc",
		"-s": "unknown",
	} {
		if got := versionOf(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// The real binary, whose every module has to have a license that is known.
func TestTheBinaryIsMadeOfWhatMayBePassedOn(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "clawd")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "../../cmd/clawd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var text strings.Builder
	if err := run([]string{"licenses", binary}, &text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "github.com/cockroachdb/pebble/v2") || !strings.Contains(text.String(), "Mozilla Public License") {
		t.Error("the licenses lack what must be there")
	}
	text.Reset()
	if err := run([]string{"sbom", binary}, &text); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal([]byte(text.String()), &d); err != nil {
		t.Fatal(err)
	}
	if d.Format != "CycloneDX" || len(d.Components) < 20 || len(d.Dependencies[0].DependsOn) != len(d.Components) {
		t.Errorf("%d components, %d dependencies", len(d.Components), len(d.Dependencies[0].DependsOn))
	}
	for _, c := range d.Components {
		if c.Ref != "std" && len(c.Hashes) == 0 {
			t.Errorf("%s has no hash", c.Ref)
		}
	}
	if run([]string{"sbom", os.Args[0] + "-none"}, &text) == nil || run(nil, &text) == nil || run([]string{"x", binary}, &text) == nil {
		t.Error("nonsense was taken")
	}
}
