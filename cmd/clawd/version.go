package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/spf13/cobra"
)

// releaseVersion is set by the release build with -ldflags -X.
var releaseVersion = ""

// buildInfo is the JSON form of the verb version.
type buildInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit, RFC 3339
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// buildVersion reads what the toolchain wrote into the binary.
var buildVersion = sync.OnceValue(func() buildInfo {
	b := buildInfo{
		Version:  releaseVersion,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.time":
				b.Time = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" && ok && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	b.Version = orElse(b.Version, "dev")
	return b
})

func (c *cli) versionCommand() *cobra.Command {
	return c.printing(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE: func(*cobra.Command, []string) error {
			b := buildVersion()
			return c.show(b, func(w io.Writer) error {
				commit := ""
				if b.Commit != "" {
					commit = ", commit " + b.Commit[:min(12, len(b.Commit))]
				}
				_, err := fmt.Fprintf(w, "clawd %s (%s, %s%s)\n", b.Version, b.Go, b.Platform, commit)
				return err
			})
		},
	})
}
