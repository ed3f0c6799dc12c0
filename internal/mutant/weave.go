package mutant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	module       = "github.com/openclaw/clawd"
	switchImport = module + "/internal/mutant/planted"
)

// Weave writes copies of the files under root that the mutants are about into
// dir, each faulty body behind the switch, and answers the overlay file for the
// go command. The error tells of all mutants that do not fit the code any more.
func Weave(root, dir string, mutants []Mutant) (overlay string, err error) {
	w := weaver{root: root, packages: make(map[string][]*source)}
	var errs []error
	for i := range mutants {
		if err := w.plant(i+1, &mutants[i]); err != nil {
			errs = append(errs, fmt.Errorf("planted bug %q: %w", mutants[i].Name, err))
		}
	}
	if len(errs) > 0 {
		return "", errors.Join(errs...)
	}
	return w.write(dir)
}

type weaver struct {
	root     string
	packages map[string][]*source // by directory
}

// source is one file, and the faulty bodies that its functions get.
type source struct {
	path   string
	text   []byte
	tree   *ast.File
	tokens *token.FileSet
	faults map[*ast.FuncDecl][]fault
}

type fault struct {
	number int
	name   string
	body   string
}

// plant makes the faulty bodies of one mutant: one for each function it edits.
func (w *weaver) plant(number int, m *Mutant) error {
	bodies := make(map[*ast.FuncDecl]string)
	homes := make(map[*ast.FuncDecl]*source)
	var order []*ast.FuncDecl
	for _, e := range m.Edits {
		src, fn, err := w.find(e.Func)
		if err != nil {
			return err
		}
		body, begun := bodies[fn]
		if !begun {
			body = src.body(fn)
			homes[fn] = src
			order = append(order, fn)
		}
		if n := strings.Count(body, e.Old); n != 1 {
			return fmt.Errorf("its text is found %d times in %s, and must be there once: %q", n, e.Func, e.Old)
		}
		bodies[fn] = strings.Replace(body, e.Old, e.New, 1)
	}
	for _, fn := range order {
		homes[fn].faults[fn] = append(homes[fn].faults[fn], fault{number, m.Name, bodies[fn]})
	}
	return nil
}

// find looks for a function, given as "directory.name" or "directory.type.name".
func (w *weaver) find(name string) (*source, *ast.FuncDecl, error) {
	dir, local, ok := cutDir(name)
	if !ok {
		return nil, nil, fmt.Errorf("%q does not name a function", name)
	}
	files, err := w.load(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, src := range files {
		for _, d := range src.tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil && nameOf(fn) == local {
				return src, fn, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("there is no function %s", name)
}

// cutDir splits "node/replica.(*Replica).Tick" after the directory.
func cutDir(name string) (dir, local string, ok bool) {
	slash := strings.LastIndexByte(name, '/') + 1
	dot := strings.IndexByte(name[slash:], '.')
	if dot < 0 {
		return "", "", false
	}
	return name[:slash+dot], name[slash+dot+1:], true
}

func nameOf(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	switch t := fn.Recv.List[0].Type.(type) {
	case *ast.Ident:
		return t.Name + "." + fn.Name.Name
	case *ast.StarExpr:
		if id, ok := t.X.(*ast.Ident); ok {
			return "(*" + id.Name + ")." + fn.Name.Name
		}
	}
	return "" // a generic type: nothing is planted there
}

func (w *weaver) load(dir string) ([]*source, error) {
	if files, done := w.packages[dir]; done {
		return files, nil
	}
	paths, err := filepath.Glob(filepath.Join(w.root, filepath.FromSlash(dir), "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*source
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		src, err := parse(path)
		if err != nil {
			return nil, err
		}
		files = append(files, src)
	}
	w.packages[dir] = files
	return files, nil
}

func parse(path string) (*source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &source{path: path, text: text, tokens: token.NewFileSet(), faults: make(map[*ast.FuncDecl][]fault)}
	s.tree, err = parser.ParseFile(s.tokens, path, text, parser.SkipObjectResolution)
	return s, err
}

func (s *source) offset(p token.Pos) int { return s.tokens.Position(p).Offset }

// body is the text between the braces of a function.
func (s *source) body(fn *ast.FuncDecl) string {
	return string(s.text[s.offset(fn.Body.Lbrace)+1 : s.offset(fn.Body.Rbrace)])
}

// woven is the text of the file with all faulty bodies. What the compiler says
// about one of them names its bug, and about the rest the line in the tree.
func (s *source) woven() []byte {
	var out bytes.Buffer
	at := s.offset(s.tree.Name.End())
	out.Write(s.text[:at])
	fmt.Fprintf(&out, "; import planted %q", switchImport)
	for _, d := range s.tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || len(s.faults[fn]) == 0 {
			continue
		}
		begin := s.offset(fn.Body.Lbrace) + 1
		out.Write(s.text[at:begin])
		at = begin
		for _, f := range s.faults[fn] {
			fmt.Fprintf(&out, " if planted.On(%d) {/*line planted-%s:1:1*/%s", f.number, f.name, f.body)
			if fn.Type.Results == nil {
				out.WriteString("\nreturn\n")
			}
			out.WriteString("}\n")
		}
		fmt.Fprintf(&out, "/*line %s:%d:%d*/", s.path, s.tokens.Position(fn.Body.Lbrace).Line, s.tokens.Position(fn.Body.Lbrace).Column+1)
	}
	out.Write(s.text[at:])
	return out.Bytes()
}

// write puts the woven files and the overlay into dir.
func (w *weaver) write(dir string) (string, error) {
	replace := make(map[string]string)
	dirs := make([]string, 0, len(w.packages))
	for d := range w.packages {
		dirs = append(dirs, d)
	}
	slices.Sort(dirs)
	for _, d := range dirs {
		for _, src := range w.packages[d] {
			if len(src.faults) == 0 {
				continue
			}
			path := filepath.Join(dir, strings.ReplaceAll(d, "/", "-")+"-"+filepath.Base(src.path))
			if err := os.WriteFile(path, src.woven(), 0o600); err != nil {
				return "", err
			}
			replace[src.path] = path
		}
	}
	text, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
