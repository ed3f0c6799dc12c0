package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/openclaw/clawd/client"
)

// patience is how long a script waits for anything that a real node does.
const patience = 20 * time.Second

// realNode is a `clawd serve` a script has started.
type realNode struct {
	cmd    *exec.Cmd
	log    lockedBuffer
	exited chan struct{}
}

// nodes of one script by name.
type nodes map[string]*realNode

type nodesKey struct{}

func nodesOf(ts *testscript.TestScript) nodes { return ts.Value(nodesKey{}).(nodes) }

// startNode runs `clawd serve` on ports the system chooses, data in $WORK/NAME,
// and returns when it is ready. It sets CLAWD_ADDR, and NAME_HTTP and
// NAME_GOSSIP.
func startNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: startnode NAME flags…")
	}
	name := args[0]
	n := &realNode{exited: make(chan struct{})}
	flags := append([]string{
		"serve", "--name", name, "--data-dir", ts.MkAbs(name), "--log-format", "json",
		"--http-addr", "127.0.0.1:0", "--peer-addr", "127.0.0.1:0", "--gossip-addr", "127.0.0.1:0",
	}, args[1:]...)
	n.cmd = exec.Command("clawd", flags...)
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // never outlives the test
	stderr, err := n.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(n.cmd.Start())
	nodesOf(ts)[name] = n
	ts.Defer(func() { n.stop(syscall.SIGKILL) })

	serving := make(chan servingLine, 1)
	go n.read(stderr, serving)
	select {
	case line := <-serving:
		ts.Setenv("CLAWD_ADDR", "http://"+line.HTTP)
		ts.Setenv(name+"_HTTP", line.HTTP)
		ts.Setenv(name+"_GOSSIP", line.Gossip)
		awaitReady(ts, n, "http://"+line.HTTP)
	case <-n.exited:
		ts.Fatalf("%s did not start:\n%s", name, n.log.String())
	case <-time.After(patience):
		ts.Fatalf("%s does not serve:\n%s", name, n.log.String())
	}
}

// servingLine is what scripts need of the one line a node says at its start.
type servingLine struct {
	Msg, HTTP, Gossip string
}

func (n *realNode) read(stderr io.Reader, serving chan<- servingLine) {
	defer close(n.exited)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		n.log.write(lines.Bytes())
		var line servingLine
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			serving <- line
		}
	}
	_ = n.cmd.Wait() // how it ended is in ProcessState
}

func awaitReady(ts *testscript.TestScript, n *realNode, url string) {
	c, err := client.New(url, client.Options{})
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for poll := time.NewTicker(20 * time.Millisecond); ; {
		if err = c.Health.Ready(ctx); err == nil {
			poll.Stop()
			return
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			ts.Fatalf("not ready: %v\n%s", err, n.log.String())
		}
	}
}

// stop signals the node and waits for its end.
func (n *realNode) stop(s os.Signal) {
	_ = n.cmd.Process.Signal(s) // it may be gone already
	select {
	case <-n.exited:
	case <-time.After(patience):
		_ = n.cmd.Process.Kill()
		<-n.exited
	}
}

// stopNode ends a node by SIGTERM and expects exit code 0. Its log is in
// NAME.log then.
func stopNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stopnode NAME")
	}
	n := nodesOf(ts)[args[0]]
	n.stop(syscall.SIGTERM)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".log"), []byte(n.log.String()), 0o600))
	if code := n.cmd.ProcessState.ExitCode(); code != 0 {
		ts.Fatalf("%s ended with %d:\n%s", args[0], code, n.log.String())
	}
}

// killNode is the loss of a process: SIGKILL, no drain.
func killNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: killnode NAME")
	}
	nodesOf(ts)[args[0]].stop(syscall.SIGKILL)
}

// stopTwice gives a node a call it cannot finish, so that it drains for as long
// as it may, and signals it twice.
func stopTwice(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stoptwice NAME")
	}
	n := nodesOf(ts)[args[0]]
	conn, err := net.Dial("tcp", ts.Getenv(args[0]+"_HTTP"))
	ts.Check(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/agents/a/consume HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
	ts.Check(err)
	// The handler asks for the body, so the call is under way.
	ts.Check(conn.SetReadDeadline(time.Now().Add(patience)))
	answer, err := bufio.NewReader(conn).ReadString('\n')
	ts.Check(err)
	if !strings.Contains(answer, "100 Continue") {
		ts.Fatalf("the node answered %q", answer)
	}
	ts.Check(n.cmd.Process.Signal(syscall.SIGTERM))
	awaitDrain(ts)
	began := time.Now()
	n.signalUntilGone(ts)
	if code := n.cmd.ProcessState.ExitCode(); code != exitError || time.Since(began) > 5*time.Second {
		ts.Fatalf("ended with %d after %v, want %d at once:\n%s", code, time.Since(began), exitError, n.log.String())
	}
	if !strings.Contains(n.log.String(), "a second signal came while draining") {
		ts.Fatalf("it does not say why:\n%s", n.log.String())
	}
}

// signalUntilGone is a person who has lost patience: signals within half a
// second of the first count as the same one.
func (n *realNode) signalUntilGone(ts *testscript.TestScript) {
	deadline := time.After(patience)
	for again := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-again.C:
			_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
		case <-n.exited:
			again.Stop()
			return
		case <-deadline:
			ts.Fatalf("the node ignores signals")
		}
	}
}

// awaitDrain returns when the node has begun to drain: it accepts no connections,
// or says that it is not ready.
func awaitDrain(ts *testscript.TestScript) {
	c, err := client.New(ts.Getenv("CLAWD_ADDR"), client.Options{MaxRetries: -1, Timeout: time.Second})
	ts.Check(err)
	deadline := time.After(patience)
	for poll := time.NewTicker(10 * time.Millisecond); ; {
		if c.Health.Ready(context.Background()) != nil {
			poll.Stop()
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			ts.Fatalf("the node does not drain")
		}
	}
}

// eventually repeats a program until its output matches.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN program args…")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	deadline := time.After(patience)
	for poll := time.NewTicker(50 * time.Millisecond); ; {
		runErr := ts.Exec(args[1], args[2:]...)
		var exit *exec.ExitError
		if runErr != nil && !errors.As(runErr, &exit) {
			ts.Check(runErr)
		}
		out := ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if pattern.MatchString(out) {
			poll.Stop()
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			ts.Fatalf("never matched %s:\n%s", args[0], out)
		}
	}
}

// lockedBuffer collects a log while others look at it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) write(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Write(line)
	l.b.WriteByte('\n')
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
