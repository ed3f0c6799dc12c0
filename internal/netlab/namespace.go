package netlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/openclaw/clawd/internal/proc"
)

// Namespace is a network of its own, at first with nothing but a loopback
// device. It lives as long as it is open or a process runs in it.
type Namespace struct{ file *os.File }

// NewNamespace makes an empty network.
func NewNamespace() (*Namespace, error) {
	var made *os.File
	err := onThreadOfItsOwn(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("network namespaces cannot be made here: %w (run as root with CAP_SYS_ADMIN and CAP_NET_ADMIN)", err)
		}
		made, err = os.Open(networkOfThread)
		return err
	})
	if err != nil {
		return nil, err
	}
	n := &Namespace{made}
	if err := n.Run("ip", "link", "set", "lo", "up"); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

const networkOfThread = "/proc/thread-self/ns/net"

// onThreadOfItsOwn runs f on a thread whose network f may change, and restores
// it. Goroutines that f starts are not in the changed network.
//
// The thread goes on living: a child started on it gets a signal when it ends.
func onThreadOfItsOwn(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open(networkOfThread)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() { _ = home.Close() }() // only read
	err = f()
	if backErr := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); backErr != nil {
		// Never hand this thread to other goroutines: it stays locked, and ends with this one.
		return errors.Join(err, fmt.Errorf("cannot return to the network of the process: %w", backErr))
	}
	runtime.UnlockOSThread()
	return err
}

// Do runs f on a thread that is in the namespace. Sockets f opens and processes
// it starts stay there.
func (n *Namespace) Do(f func() error) error {
	return onThreadOfItsOwn(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the namespace: %w", err)
		}
		return f()
	})
}

// Run runs a command in the namespace.
func (n *Namespace) Run(argv ...string) error { return n.feed("", argv...) }

// feed runs a command in the namespace with input.
func (n *Namespace) feed(input string, argv ...string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + argv[0]); err != nil {
			return fmt.Errorf("the command %s is missing (packages iproute2 and nftables)", argv[0])
		}
	}
	var out bytes.Buffer
	cmd := exec.Command(path, argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &out
	if err := n.Do(cmd.Start); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}

// Start starts a server in the namespace.
func (n *Namespace) Start(c proc.Command) (*proc.Process, error) {
	c.Within = n.Do
	return proc.Start(c)
}

// Dial connects from inside the namespace. The address must be a literal one.
func (n *Namespace) Dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	err = n.Do(func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// path names the namespace for other programs.
func (n *Namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// Close lets go of the namespace.
func (n *Namespace) Close() error { return n.file.Close() }
