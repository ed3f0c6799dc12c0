package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a server under load.
type process struct {
	cmd    *exec.Cmd
	url    string
	log    string
	exited chan struct{} // closed once cmd.Wait has returned
}

// start runs a server and waits until url answers /readyz.
func start(ctx context.Context, work, name, url string, argv ...string) (*process, error) {
	log, err := os.Create(filepath.Join(work, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the child holds its own descriptor

	p := &process{cmd: exec.Command(argv[0], argv[1:]...), url: url, log: log.Name(), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// In a group of its own, so that an interrupt reaches this program first and the servers stop in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is told by its log
		close(p.exited)
	}()
	if err := p.ready(ctx); err != nil {
		said, _ := os.ReadFile(p.log)
		return nil, errors.Join(fmt.Errorf("%s: %w\n%s", name, err, said), p.stop())
	}
	return p, nil
}

func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if status, err := get(ctx, p.url+"/readyz"); err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return errors.New("exited before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		}
	}
}

// stop asks the server to end, and makes it after ten seconds.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(10 * time.Second):
		err := p.cmd.Process.Kill()
		<-p.exited
		return err
	}
}

// cpu is the time the process has used so far, in user and kernel mode.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseCPU(string(stat))
}

func get(ctx context.Context, url string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// freeAddr returns a loopback address nobody listened on a moment ago.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
