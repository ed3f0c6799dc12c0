package mutant

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Binaries carry all planted bugs.
type Binaries struct {
	dir   string
	hunt  string // the simulator
	crash string // the crash tests
	tree  string // where those run
}

// Root is the directory of the module that the working directory is in.
func Root(ctx context.Context) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the source tree: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(mod))), nil
}

// Build builds the binaries from the source tree under root. Remove them when
// they have done their work.
func Build(ctx context.Context, root string) (*Binaries, error) {
	dir, err := os.MkdirTemp("", "clawd-mutants-")
	if err != nil {
		return nil, err
	}
	b := &Binaries{
		dir: dir, tree: filepath.Join(root, "internal", "crashtest"),
		hunt: filepath.Join(dir, "hunt"), crash: filepath.Join(dir, "crash"),
	}
	overlay, err := Weave(root, dir, All())
	if err == nil {
		err = compile(ctx, root, "build", "-overlay", overlay, "-buildvcs=false", "-o", b.hunt, "./internal/mutant/hunt")
	}
	if err == nil {
		err = compile(ctx, root, "test", "-c", "-overlay", overlay, "-o", b.crash, "./internal/crashtest")
	}
	if err != nil {
		b.Remove()
		return nil, err
	}
	return b, nil
}

// Remove removes the binaries.
func (b *Binaries) Remove() { _ = os.RemoveAll(b.dir) } // a temporary directory

func compile(ctx context.Context, root string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
