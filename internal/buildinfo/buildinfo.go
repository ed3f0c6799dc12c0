package buildinfo

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// Set with -ldflags -X; empty otherwise.
var (
	version string
	commit  string
)

// unreleased is the version of a build that nobody gave one.
const unreleased = "dev"

// Info describes a build. Its JSON form is what `clawd version -o json` prints.
type Info struct {
	Version  string `json:"version"`            // of the release or the module, "dev" for neither
	Commit   string `json:"commit,omitempty"`   // empty when built outside of a checkout
	Time     string `json:"time,omitempty"`     // of the commit, RFC 3339
	Modified bool   `json:"modified,omitempty"` // the checkout differed from the commit
	Go       string `json:"go"`
	Platform string `json:"platform"` // operating system/architecture
}

// Get returns the description of the running binary.
var Get = sync.OnceValue(func() Info {
	recorded, _ := debug.ReadBuildInfo() // nil in a binary built without modules
	return describe(version, commit, recorded)
})

// describe prefers what the release build has set over what the toolchain recorded.
func describe(version, commit string, recorded *debug.BuildInfo) Info {
	info := Info{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	module := ""
	if recorded != nil {
		if v := recorded.Main.Version; v != "(devel)" {
			module = v
		}
		for _, s := range recorded.Settings {
			switch s.Key {
			case "vcs.revision":
				info.Commit = s.Value
			case "vcs.time":
				info.Time = s.Value
			case "vcs.modified":
				info.Modified = s.Value == "true"
			}
		}
	}
	info.Version = cmp.Or(version, module, unreleased)
	info.Commit = cmp.Or(commit, info.Commit)
	return info
}

// String returns one line for people: "v1.2.3 (go1.26.8, linux/amd64, commit 0123456789ab)".
func (i Info) String() string {
	details := []string{i.Go, i.Platform}
	if i.Commit != "" {
		const short = 12
		c := "commit " + i.Commit[:min(short, len(i.Commit))]
		if i.Modified {
			c += ", modified"
		}
		details = append(details, c)
	}
	return i.Version + " (" + strings.Join(details, ", ") + ")"
}
