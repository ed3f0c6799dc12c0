// Command print writes the version and the commit that it was linked with.
package main

import (
	"fmt"

	"github.com/openclaw/clawd/internal/buildinfo"
)

func main() { fmt.Println(buildinfo.Get().Version, buildinfo.Get().Commit) }
