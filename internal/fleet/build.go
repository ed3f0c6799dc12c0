package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Binary builds clawd as it is released, static, once per process, and returns
// its path. The file is a temporary one, so that a `make build` meanwhile does not
// change what is tested; see RemoveBinary. TEST_CLAWD_BINARY names another binary
// to test instead.
var Binary = sync.OnceValues(func() (string, error) {
	if given := os.Getenv(givenBinary); given != "" {
		return filepath.Abs(given)
	}
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the source tree: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	dir, err := os.MkdirTemp("", "clawd-bin-")
	if err != nil {
		return "", err
	}
	built = dir
	bin := filepath.Join(dir, "clawd")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", bin, "./cmd/clawd")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build clawd: %w: %s", err, out)
	}
	return bin, nil
})

const givenBinary = "TEST_CLAWD_BINARY"

// built is the directory that Binary has made.
var built string

// RemoveBinary removes what Binary has built, if it has. Nobody may be calling
// Binary meanwhile.
func RemoveBinary() {
	if built != "" {
		_ = os.RemoveAll(built)
	}
}
