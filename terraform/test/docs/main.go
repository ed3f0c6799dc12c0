// Command docs writes the tables of inputs and outputs into the README of each
// module directory it is given, between two comments. With -check it changes
// nothing, and fails when a table is not what the variables say.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	begin = "<!-- inputs and outputs: written by make terraform-docs -->"
	end   = "<!-- end -->"
)

func main() {
	log.SetFlags(0)
	check := flag.Bool("check", false, "fail instead of writing")
	flag.Parse()
	for _, dir := range flag.Args() {
		if err := refresh(dir, *check); err != nil {
			log.Fatalf("docs: %v", err)
		}
	}
}

func refresh(dir string, check bool) error {
	want, err := tables(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, found := strings.Cut(string(text), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no place for the tables", path)
	}
	next := head + begin + "\n\n" + want + end + tail
	switch {
	case next == string(text):
		return nil
	case check:
		return fmt.Errorf("%s does not say what the variables say: run make terraform-docs", path)
	}
	return os.WriteFile(path, []byte(next), 0o644)
}

// tables renders the variables and outputs of a module.
func tables(dir string) (string, error) {
	var b strings.Builder
	inputs, err := read(filepath.Join(dir, "variables.tf"), "variable")
	if err != nil {
		return "", err
	}
	outputs, err := read(filepath.Join(dir, "outputs.tf"), "output")
	if err != nil {
		return "", err
	}
	b.WriteString("| input | what | type | default |\n|---|---|---|---|\n")
	for _, in := range inputs {
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", in.name, in.description, in.typ, in.fallback)
	}
	b.WriteString("\n| output | what |\n|---|---|\n")
	for _, out := range outputs {
		fmt.Fprintf(&b, "| `%s` | %s |\n", out.name, out.description)
	}
	b.WriteString("\n")
	return b.String(), nil
}

type entry struct{ name, description, typ, fallback string }

func read(path, kind string) ([]entry, error) {
	file, diags := hclparse.NewParser().ParseHCLFile(path)
	if diags.HasErrors() {
		return nil, diags
	}
	var out []entry
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type != kind {
			continue
		}
		e := entry{name: block.Labels[0], fallback: "required"}
		attrs := block.Body.Attributes
		description, diags := attrs["description"].Expr.Value(nil)
		if diags.HasErrors() {
			return nil, diags
		}
		e.description = strings.ReplaceAll(description.AsString(), "|", "\\|")
		if a, ok := attrs["type"]; ok {
			e.typ = source(file, a.Expr.Range())
		}
		if a, ok := attrs["default"]; ok {
			e.fallback = "`" + source(file, a.Expr.Range()) + "`"
		}
		out = append(out, e)
	}
	// What must be given comes first, otherwise in the order of the file.
	slices.SortStableFunc(out, func(a, b entry) int {
		switch aa, bb := a.fallback == "required", b.fallback == "required"; {
		case aa == bb:
			return 0
		case aa:
			return -1
		}
		return 1
	})
	return out, nil
}

func source(file *hcl.File, r hcl.Range) string {
	return strings.Join(strings.Fields(string(r.SliceBytes(file.Bytes))), " ")
}
