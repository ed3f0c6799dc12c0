package buildinfo

import (
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
)

func recorded(module string, settings ...string) *debug.BuildInfo {
	info := &debug.BuildInfo{Main: debug.Module{Version: module}}
	for i := 0; i < len(settings); i += 2 {
		info.Settings = append(info.Settings, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
	}
	return info
}

func TestDescribe(t *testing.T) {
	const revision = "0123456789abcdef0123"
	checkout := recorded("(devel)", "vcs.revision", revision, "vcs.time", "2026-01-02T03:04:05Z", "vcs.modified", "true")
	for _, c := range []struct {
		name            string
		version, commit string
		recorded        *debug.BuildInfo
		want            Info
		line            string // before Go and platform are filled in
	}{
		{"no modules", "", "", nil, Info{Version: "dev"}, "dev (GO, OS)"},
		{
			"from a checkout", "", "", checkout,
			Info{Version: "dev", Commit: revision, Time: "2026-01-02T03:04:05Z", Modified: true},
			"dev (GO, OS, commit 0123456789ab, modified)",
		},
		{"as a module", "", "", recorded("v1.2.3"), Info{Version: "v1.2.3"}, "v1.2.3 (GO, OS)"},
		{
			"released", "v2.0.0", "abc", recorded("v1.2.3", "vcs.revision", revision),
			Info{Version: "v2.0.0", Commit: "abc"},
			"v2.0.0 (GO, OS, commit abc)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := describe(c.version, c.commit, c.recorded)
			if got.Go == "" || !strings.Contains(got.Platform, "/") {
				t.Errorf("toolchain missing: %+v", got)
			}
			line := strings.NewReplacer(got.Go, "GO", got.Platform, "OS").Replace(got.String())
			got.Go, got.Platform = "", ""
			if got != c.want || line != c.line {
				t.Errorf("got %+v %q, want %+v %q", got, line, c.want, c.line)
			}
		})
	}
}

func TestGetDescribesThisBinary(t *testing.T) {
	if got := Get(); got.Version == "" || got.Go == "" {
		t.Errorf("got %+v", got)
	}
}

// The names in the linker flags of the release build are names of variables here:
// the linker says nothing when they are not.
func TestLinkerFlagsReachTheVariables(t *testing.T) {
	const pkg = "github.com/openclaw/clawd/internal/buildinfo"
	flags := "-X " + pkg + ".version=v9.9.9 -X " + pkg + ".commit=feed"
	out, err := exec.Command("go", "run", "-ldflags", flags, "./testdata/print").CombinedOutput()
	if err != nil || string(out) != "v9.9.9 feed\n" {
		t.Errorf("got %q, %v", out, err)
	}
}
