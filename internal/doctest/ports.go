package doctest

import (
	"regexp"
	"strings"

	"github.com/openclaw/clawd/internal/proc"
)

// ports gives every loopback address that a page names a free port of its own,
// so that pages neither meet each other nor what runs on the machine.
type ports struct {
	free map[string]string // address in the page → address used
}

var loopback = regexp.MustCompile(`\b(?:localhost|127\.0\.0\.1):([0-9]{2,5})\b`)

func newPorts() *ports { return &ports{free: map[string]string{}} }

// addr returns the address used for port of the page.
func (p *ports) addr(port string) (string, error) {
	if a, found := p.free[port]; found {
		return a, nil
	}
	a, err := proc.FreeAddr()
	if err != nil {
		return "", err
	}
	p.free[port] = a
	return a, nil
}

// used rewrites a command of the page to the addresses used.
func (p *ports) used(command string) (string, error) {
	var failed error
	out := loopback.ReplaceAllStringFunc(command, func(found string) string {
		a, err := p.addr(found[strings.LastIndexByte(found, ':')+1:])
		if err != nil {
			failed = err
		}
		return a
	})
	return out, failed
}

// shown rewrites what a command printed to the addresses of the page.
func (p *ports) shown(output string) string {
	for port, a := range p.free {
		output = strings.ReplaceAll(output, a, "127.0.0.1:"+port)
	}
	return output
}
