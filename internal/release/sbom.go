package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// What is used of CycloneDX 1.6.
type document struct {
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licenses   []license  `json:"licenses,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type license struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

func spdx(id string) []license {
	var l license
	l.License.ID = id
	return []license{l}
}

// writeSBOM has no serial number and no time on purpose: it says what is in the
// binary, and nothing of when that was looked at.
func writeSBOM(out io.Writer, p parts) error {
	self := component{
		Type: "application", Ref: "clawd", Name: "clawd", Version: p.version,
		PURL: "pkg:golang/github.com/openclaw/clawd@" + p.version, Licenses: spdx("Apache-2.0"),
		Properties: []property{{"clawd:target", p.target}, {"clawd:commit", p.commit}},
	}
	standard := component{
		Type: "library", Ref: "std", Name: "std", Version: p.golang,
		PURL: "pkg:golang/std@" + p.golang, Licenses: spdx("BSD-3-Clause"),
	}
	d := document{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{self}, Components: []component{standard}}
	needs := []string{standard.Ref}
	for _, m := range p.modules {
		c := component{
			Type: "library", Ref: m.path + "@" + m.version, Name: m.path, Version: m.version,
			PURL: "pkg:golang/" + m.path + "@" + m.version, Licenses: spdx(m.license),
		}
		if sum, ok := strings.CutPrefix(m.sum, "h1:"); ok {
			raw, err := base64.StdEncoding.DecodeString(sum)
			if err != nil {
				return fmt.Errorf("%s: its sum is %q: %w", m.path, m.sum, err)
			}
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
		}
		d.Components = append(d.Components, c)
		needs = append(needs, c.Ref)
	}
	d.Dependencies = []dependency{{self.Ref, needs}}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(d)
}
