package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryRunbookIsATest keeps docs/operations.md and the tests together: each
// runbook names tests that exist, and each test of a runbook is named.
func TestEveryRunbookIsATest(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	known := map[string]bool{}
	for _, dir := range []string{".", "../chaos", "../upgrade"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		must(t, err)
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			must(t, err)
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
					known[f.Name.Name] = true
				}
			}
		}
	}
	names := regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]+)`")
	sections := strings.Split(string(page), "\n## ")[1:]
	for _, section := range sections {
		title, text, _ := strings.Cut(section, "\n")
		named := names.FindAllStringSubmatch(text, -1)
		if len(named) == 0 && title != "Before anything happens" {
			t.Errorf("runbook %q names no test", title)
		}
		for _, n := range named {
			if !known[n[1]] {
				t.Errorf("runbook %q names %s, which is no test", title, n[1])
			}
		}
	}
	for name := range known {
		if strings.HasPrefix(name, "TestRunbook") && !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("%s is no runbook's test", name)
		}
	}
}
