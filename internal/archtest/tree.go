package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/openclaw/clawd"

// source is one Go file of the tree.
type source struct {
	path    string // slash-separated, from the root of the module
	pkg     string // directory of the file: the import path without the module
	name    string // of the package clause, without the suffix of an external test
	test    bool
	imports []string
	uses    []use
}

// use is a name taken from an imported package, such as Now of time.
type use struct{ pkg, name string }

// ours returns the imports from this module, without its path.
func (s source) ours() (pkgs []string) {
	for _, imp := range s.imports {
		if pkg, found := strings.CutPrefix(imp, module+"/"); found {
			pkgs = append(pkgs, pkg)
		}
	}
	return pkgs
}

// load parses all Go files under the root of the module.
func load(root fs.FS) ([]source, error) {
	var files []source
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (ignored(p) || anotherModule(root, p)):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		file, err := parse(root, p)
		files = append(files, file)
		return err
	})
	return files, err
}

// ignored reports directories that the go command does not look into either, and
// those of other tool chains.
func ignored(dir string) bool {
	base := path.Base(dir)
	return base != "." && strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") ||
		base == "testdata" || base == "vendor" || base == "node_modules"
}

// anotherModule reports directories with a go.mod of their own: their rules are
// not ours.
func anotherModule(root fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	_, err := fs.Stat(root, path.Join(dir, "go.mod"))
	return err == nil
}

func parse(root fs.FS, p string) (source, error) {
	text, err := fs.ReadFile(root, p)
	if err != nil {
		return source{}, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), p, text, parser.SkipObjectResolution)
	if err != nil {
		return source{}, fmt.Errorf("parse: %w", err)
	}
	s := source{
		path: p,
		pkg:  path.Dir(p),
		name: strings.TrimSuffix(f.Name.Name, "_test"),
		test: strings.HasSuffix(p, "_test.go"),
	}
	local := map[string]string{} // name in the file -> import path
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("%s: import %s: %w", p, spec.Path.Value, err)
		}
		s.imports = append(s.imports, imp)
		if spec.Name != nil {
			local[spec.Name.Name] = imp
		} else {
			local[defaultName(imp)] = imp
		}
	}
	s.uses = uses(f, local)
	return s, nil
}

// defaultName guesses the name of a package from its path, as goimports does: the
// last element that is no major version.
func defaultName(imp string) string {
	if dir, base := path.Split(imp); majorVersion.MatchString(base) {
		return path.Base(dir)
	}
	return path.Base(imp)
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// uses returns each name that the file takes from a package, once.
func uses(f *ast.File, local map[string]string) (found []use) {
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && local[x.Name] != "" {
			if u := (use{local[x.Name], sel.Sel.Name}); !slices.Contains(found, u) {
				found = append(found, u)
			}
		}
		return true
	})
	return found
}
