package doctest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

const (
	commandLimit  = 5 * time.Minute // a cold build is one of the commands
	readyLimit    = 30 * time.Second
	convergeLimit = 5 * time.Second
)

// session types the commands of one page.
type session struct {
	dir   string // where the commands run: a copy of the repository
	logs  string // where the nodes write
	ports *ports
	nodes []*proc.Process
}

// run types the steps in order and stops at the first that does not do what the
// page says.
func (s *session) run(ctx context.Context, steps []step) error {
	for _, st := range steps {
		if err := s.step(ctx, st); err != nil {
			return fmt.Errorf("line %d: $ %s\n%w%s", st.line, st.command, err, s.said())
		}
	}
	return nil
}

// said is what the nodes have logged, for whoever reads why a page failed.
func (s *session) said() string {
	var b strings.Builder
	for i, p := range s.nodes {
		fmt.Fprintf(&b, "\nnode %d logged:\n%s", i, p.Log())
	}
	return b.String()
}

// stop ends the nodes, the last started first.
func (s *session) stop() error {
	var errs []error
	for i := len(s.nodes) - 1; i >= 0; i-- {
		errs = append(errs, s.nodes[i].Stop())
	}
	return errors.Join(errs...)
}

func (s *session) step(ctx context.Context, st step) error {
	command, err := s.ports.used(st.command)
	if err != nil {
		return err
	}
	if startsNode(command) {
		return s.start(ctx, command)
	}
	deadline := time.Now().Add(convergeLimit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.try(ctx, command, st.want)
		if err == nil || !onlyReads(st.command) || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}

// startsNode reports whether a command is a server that does not return.
func startsNode(command string) bool {
	return strings.HasPrefix(command, "bin/clawd serve") || strings.HasPrefix(command, "make run")
}

var changes = regexp.MustCompile(` (-X|-d|-T|-F|--json|--data[a-z-]*|--request|--upload-file)\b`)

// onlyReads reports whether running a command again changes nothing.
func onlyReads(command string) bool {
	if strings.HasPrefix(command, "curl ") {
		return !changes.MatchString(command)
	}
	for _, verb := range []string{"status", "members", "peek", "kv get", "kv list", "policy get", "policy list"} {
		if strings.HasPrefix(command, "bin/clawd "+verb) {
			return true
		}
	}
	return false
}

var httpFlag = regexp.MustCompile(`--http-addr[ =](\S+)`)

// start runs a node and returns when it is ready.
func (s *session) start(ctx context.Context, command string) error {
	env, err := s.defaults()
	if err != nil {
		return err
	}
	public, err := s.ports.addr("8080")
	if err != nil {
		return err
	}
	if m := httpFlag.FindStringSubmatch(command); m != nil {
		public = m[1]
	}
	p, err := proc.Start(proc.Command{
		Argv: []string{"bash", "-c", "exec " + strings.TrimSuffix(strings.TrimSpace(command), "&")},
		Dir:  s.dir,
		Env:  env,
		Log:  filepath.Join(s.logs, fmt.Sprintf("node-%d.log", len(s.nodes))),
	})
	if err != nil {
		return err
	}
	s.nodes = append(s.nodes, p)
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	return p.WaitReady(ctx, "http://"+public)
}

// defaults are the settings of a node that has no flags for them: the default
// ports of the page's world.
func (s *session) defaults() ([]string, error) {
	var env []string
	for name, port := range map[string]string{"HTTP_ADDR": "8080", "PEER_ADDR": "8081", "GOSSIP_ADDR": "7946"} {
		a, err := s.ports.addr(port)
		if err != nil {
			return nil, err
		}
		env = append(env, "CLAWD_"+name+"="+a)
	}
	return env, nil
}

// try runs a command once and compares what it prints.
func (s *session) try(ctx context.Context, command string, want []string) error {
	public, err := s.ports.addr("8080")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "CLAWD_ADDR=http://"+public)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	got := s.ports.shown(out.String())
	if err != nil {
		return fmt.Errorf("%w; it printed:\n%s", err, got)
	}
	if !matches(want, got) {
		return fmt.Errorf("printed:\n%s\nbut the page shows:\n%s", got, strings.Join(want, "\n"))
	}
	return nil
}
