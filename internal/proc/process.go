package proc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// killAfter is how long Stop waits for a server to end by itself.
const killAfter = 15 * time.Second

// Command says what to run.
type Command struct {
	Argv []string
	Dir  string   // working directory; default: the caller's
	Env  []string // added to the caller's environment
	Log  string   // file that gets standard output and error; created
	// Within runs the function that starts the process, for example inside a network namespace. Default: as it is.
	Within func(start func() error) error
	// HTTP asks /readyz. Default: http.DefaultClient.
	HTTP *http.Client
}

// Process is a server that was started.
type Process struct {
	cmd    *exec.Cmd
	log    string
	http   *http.Client
	exited chan struct{} // closed once the process is gone and was waited for
}

// Start runs a command and returns at once.
func Start(c Command) (*Process, error) {
	log, err := os.Create(c.Log)
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(c.Argv[0], c.Argv[1:]...), log: c.Log, http: c.HTTP, exited: make(chan struct{})}
	if p.http == nil {
		p.http = http.DefaultClient
	}
	p.cmd.Dir = c.Dir
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// A group of its own: an interrupt at the terminal reaches the caller only, which then stops its servers in order.
	// A caller that dies without stopping them (a test that ran into its time limit) takes its servers along.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	start := p.cmd.Start
	if c.Within != nil {
		start = func() error { return c.Within(p.cmd.Start) }
	}
	if err := errors.Join(start(), log.Close()); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Argv[0], err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.exited)
	}()
	return p, nil
}

// WaitReady returns when url answers /readyz with 200. The error of a server
// that never does contains its log.
func (p *Process) WaitReady(ctx context.Context, url string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if p.ready(ctx, url) {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return fmt.Errorf("the server ended before it was ready; it said:\n%s", p.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; the server said:\n%s", url, ctx.Err(), p.Log())
		}
	}
}

func (p *Process) ready(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// Stop asks the server to end by SIGTERM, waits for it, and kills one that does
// not listen, which is an error. Stopping twice is fine.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(killAfter):
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	return fmt.Errorf("still running %s after SIGTERM: killed; it said:\n%s", killAfter, p.Log())
}

// Kill ends the server at once, as a crash would, and waits for it.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// Signal sends a signal. A server that is gone already is no error.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Exited is closed once the server is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitCode is what the server ended with: -1 while it runs, or when a signal ended it.
func (p *Process) ExitCode() int {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// PID of the server.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is what the server has written so far.
func (p *Process) Log() string {
	said, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(said)
}
