package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// rule is one statement about the tree; broken returns a line for each file that
// goes against it.
type rule struct {
	name   string
	broken func(files []source) []string
}

// room is a package with the packages of ours that it may import outside of its
// tests.
type room struct {
	pkg string
	may []string
	// core marks the silent lower half: no goroutine's worth of effects in it,
	// neither clock nor chance nor I/O, so that it also runs in virtual time.
	core bool
	// std marks packages that need nothing but the standard library and ours.
	std bool
}

// rooms is the house. Packages under free are not rooms and may import anything.
var rooms = []room{
	{pkg: "crdt", core: true, std: true},
	{pkg: "ratelimit", may: []string{"internal/glob"}, core: true, std: true},
	{pkg: "mlrefill", core: true, std: true},
	{pkg: "mlrefill/tflite", core: true, std: true},
	{pkg: "rating", may: []string{"internal/glob"}, core: true, std: true},
	{pkg: "access", core: true, std: true},
	{pkg: "storage", may: []string{"crdt"}},
	{pkg: "node/antientropy", may: []string{"crdt"}, core: true, std: true},
	{pkg: "node/refill", may: []string{"ratelimit", "mlrefill"}, core: true, std: true},
	{pkg: "node/replica", may: []string{"crdt", "ratelimit", "rating", "storage", "node/antientropy", "node/refill", "internal/glob"}, core: true},
	{pkg: "node/discovery", std: true},
	{pkg: "node", may: []string{
		"crdt", "ratelimit", "mlrefill", "mlrefill/tflite", "rating", "storage", "node/antientropy", "node/replica", "node/refill", "node/discovery",
		"access", "api", "api/front", "api/wire", "internal/buildinfo",
	}},
	{pkg: "api", may: []string{"ratelimit", "rating", "api/wire", "api/front", "access"}},
	{pkg: "api/front", std: true},
	{pkg: "api/wire", may: []string{"ratelimit", "rating"}, std: true},
	{pkg: "client", may: []string{"api/wire"}, std: true},
	{pkg: "replay", may: []string{"ratelimit", "mlrefill", "internal/trace"}},
	{pkg: "internal/witness", std: true},
	{pkg: "internal/load", may: []string{"client", "internal/witness"}, std: true},
	{pkg: "verify", may: []string{"client", "ratelimit", "internal/load", "internal/witness"}, std: true},
	{pkg: "cmd/clawd", may: []string{"access", "node", "client", "rating", "replay", "internal/cost", "verify", "internal/buildinfo"}},
}

// free are the trees of tests, drivers and generators.
var free = []string{"internal", "bench", "deploy", "docs", "terraform"}

// library is a dependency that only some packages may see, in their tests as
// elsewhere, so that replacing it touches one place.
type library struct {
	path string
	in   []string
	why  string
}

var libraries = []library{
	// The crash tests take the disk away under the store.
	{"github.com/cockroachdb/pebble", []string{"storage", "internal/crashtest"}, "use storage.Store"},
	{"github.com/hashicorp/serf", []string{"node"}, "membership is node's business"},
	{"github.com/hashicorp/memberlist", []string{"node"}, "membership is node's business"},
	{"github.com/gorilla/mux", []string{"api"}, "take an http.Handler"},
}

// namesWithoutMeaning say nothing of what is inside, so anything ends up there.
var namesWithoutMeaning = []string{
	"util", "utils", "common", "types", "helper", "helpers", "misc",
}

// effects are standard packages with a world behind them. time is not among them:
// durations are arithmetic.
var effects = []string{"net", "os", "syscall", "log", "crypto/rand", "math/rand"}

// seedable lies under math/rand, but its generators can be handed in.
const seedable = "math/rand/v2"

// impure are the functions of allowed packages that read the clock, wait, or draw
// from a generator that nobody handed in.
var impure = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
	seedable: {
		"Int", "IntN", "Int32", "Int32N", "Int64", "Int64N", "Uint", "UintN", "Uint32", "Uint32N", "Uint64", "Uint64N",
		"N", "Float32", "Float64", "NormFloat64", "ExpFloat64", "Perm", "Shuffle",
	},
}

// rules returns all rules, one for each line of the tables above.
func rules() []rule {
	all := []rule{everyPackageIsARoom()}
	for _, r := range rooms {
		all = append(all, arrows(r))
		if r.core {
			all = append(all, silent(r))
		}
		if r.std {
			all = append(all, standardLibraryOnly(r))
		}
	}
	for _, l := range libraries {
		all = append(all, seenOnlyBy(l))
	}
	return append(all, meaningfulNames())
}

func everyPackageIsARoom() rule {
	return rule{"every package has a place", func(files []source) (lines []string) {
		for _, f := range files {
			known := slices.ContainsFunc(rooms, func(r room) bool { return r.pkg == f.pkg })
			if !known && !slices.ContainsFunc(free, func(tree string) bool { return within(f.pkg, tree) }) {
				lines = append(lines, fmt.Sprintf("%s: package %s is not in the table of rooms; allowed are those and what is under %s",
					f.path, f.pkg, list(free)))
			}
		}
		return lines
	}}
}

func arrows(r room) rule {
	return rule{r.pkg + " imports of ours only " + list(r.may), func(files []source) (lines []string) {
		for _, f := range code(files, r.pkg) {
			for _, imp := range f.ours() {
				if !slices.Contains(r.may, imp) {
					lines = append(lines, fmt.Sprintf("%s imports %s; %s may import %s", f.path, imp, r.pkg, list(r.may)))
				}
			}
		}
		return lines
	}}
}

func silent(r room) rule {
	return rule{r.pkg + " reads no clock and does no I/O", func(files []source) (lines []string) {
		for _, f := range code(files, r.pkg) {
			for _, imp := range f.imports {
				if imp != seedable && slices.ContainsFunc(effects, func(e string) bool { return within(imp, e) }) {
					lines = append(lines, fmt.Sprintf("%s imports %s; take what it gives as an argument", f.path, imp))
				}
			}
			for _, use := range f.uses {
				if slices.Contains(impure[use.pkg], use.name) {
					lines = append(lines, fmt.Sprintf("%s uses %s.%s; take the instant or the generator as an argument", f.path, use.pkg, use.name))
				}
			}
		}
		return lines
	}}
}

func standardLibraryOnly(r room) rule {
	return rule{r.pkg + " needs the standard library only", func(files []source) (lines []string) {
		for _, f := range code(files, r.pkg) {
			for _, imp := range f.imports {
				first, _, _ := strings.Cut(imp, "/")
				if strings.Contains(first, ".") && !within(imp, module) {
					lines = append(lines, fmt.Sprintf("%s imports %s; %s may import the standard library and %s", f.path, imp, r.pkg, list(r.may)))
				}
			}
		}
		return lines
	}}
}

func seenOnlyBy(l library) rule {
	return rule{l.path + " is seen only by " + list(l.in), func(files []source) (lines []string) {
		for _, f := range files {
			if slices.Contains(l.in, f.pkg) {
				continue
			}
			for _, imp := range f.imports {
				if within(imp, l.path) {
					lines = append(lines, fmt.Sprintf("%s imports %s, which is allowed in %s; %s", f.path, imp, list(l.in), l.why))
				}
			}
		}
		return lines
	}}
}

func meaningfulNames() rule {
	return rule{"packages are named after what they do", func(files []source) (lines []string) {
		for _, f := range files {
			dir := f.pkg[strings.LastIndex(f.pkg, "/")+1:]
			for _, bad := range namesWithoutMeaning {
				if f.name == bad || dir == bad {
					lines = append(lines, fmt.Sprintf("%s: a package %q gathers everything; put each part where its meaning is (forbidden: %s)",
						f.path, bad, list(namesWithoutMeaning)))
				}
			}
		}
		return lines
	}}
}

// code returns the files of a package that go into a build.
func code(files []source, pkg string) (in []source) {
	for _, f := range files {
		if f.pkg == pkg && !f.test {
			in = append(in, f)
		}
	}
	return in
}

// within reports whether a path is the other or lies under it.
func within(p, root string) bool {
	return p == root || strings.HasPrefix(p, root+"/")
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
