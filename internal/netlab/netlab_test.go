package netlab

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

// patience bounds every wait of these tests.
const patience = 10 * time.Second

// TestMain lets this binary be a test that is killed; see TestACrashLeavesNothing.
func TestMain(m *testing.M) {
	if os.Getenv("NETLAB_TEST_CRASH") != "" {
		crash()
	}
	os.Exit(m.Run())
}

func newSwitch(t *testing.T, names ...string) (*Switch, []*Host) {
	t.Helper()
	s, err := NewSwitch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOf(t, s) })
	return s, hosts(t, s, names)
}

func newWire(t *testing.T, names ...string) (*Wire, []*Host) {
	t.Helper()
	w := NewWire(1)
	t.Cleanup(func() { closeOf(t, w) })
	return w, hosts(t, w, names)
}

func hosts(t *testing.T, network interface{ Host(string) (*Host, error) }, names []string) []*Host {
	t.Helper()
	var hosts []*Host
	for _, name := range names {
		h, err := network.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, h)
	}
	return hosts
}

func closeOf(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// mailbox is a UDP socket on a host.
type mailbox struct {
	t    *testing.T
	conn net.PacketConn
}

func newMailbox(t *testing.T, h *Host) mailbox {
	t.Helper()
	var conn net.PacketConn
	err := h.Do(func() (err error) {
		conn, err = net.ListenPacket("udp", netip.AddrPortFrom(h.Addr, 0).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOf(t, conn) })
	return mailbox{t, conn}
}

func (m mailbox) send(to mailbox, text string) {
	m.t.Helper()
	if _, err := m.conn.WriteTo([]byte(text), to.conn.LocalAddr()); err != nil {
		m.t.Fatal(err)
	}
}

// next returns what arrives within a time, or nothing.
func (m mailbox) next(within time.Duration) string {
	m.t.Helper()
	buf := make([]byte, 2048)
	if err := m.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		m.t.Fatal(err)
	}
	n, _, err := m.conn.ReadFrom(buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// reaches polls until a datagram gets through.
func (m mailbox) reaches(to mailbox) {
	m.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		m.send(to, "ping")
		if to.next(50*time.Millisecond) == "ping" {
			for to.next(time.Millisecond) != "" { // late ones
			}
			return
		}
	}
	m.t.Fatalf("%v does not reach %v", m.conn.LocalAddr(), to.conn.LocalAddr())
}

func (m mailbox) doesNotReach(to mailbox) {
	m.t.Helper()
	m.send(to, "lost")
	if got := to.next(200 * time.Millisecond); got != "" {
		m.t.Fatalf("%q got through a cut", got)
	}
}

func TestASwitchCutsOneWayAndBothWaysAndHeals(t *testing.T) {
	s, h := newSwitch(t, "a", "b", "c")
	a, b, c := newMailbox(t, h[0]), newMailbox(t, h[1]), newMailbox(t, h[2])
	a.reaches(b)
	b.reaches(a)
	must(t, s.Cut("a", "b"))
	a.doesNotReach(b)
	b.reaches(a)
	a.reaches(c)
	must(t, s.Partition([]string{"a"}, []string{"b", "c"}))
	a.doesNotReach(c)
	c.doesNotReach(a)
	b.reaches(c)
	must(t, s.Heal())
	a.reaches(b)
	c.reaches(a)
	must(t, s.Lose("a", "b", 100))
	a.doesNotReach(b)
	if err := s.Cut("a", "nobody"); err == nil {
		t.Error("a host that does not exist was cut off")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAWireDelays(t *testing.T) {
	w, h := newWire(t, "a", "b")
	a, b := newMailbox(t, h[0]), newMailbox(t, h[1])
	a.reaches(b)
	must(t, w.Set("a", "b", Link{Delay: 150 * time.Millisecond, Jitter: 50 * time.Millisecond}))
	sent := time.Now()
	a.send(b, "late")
	if got := b.next(patience); got != "late" {
		t.Fatalf("got %q", got)
	}
	if took := time.Since(sent); took < 150*time.Millisecond {
		t.Errorf("took %v, want at least 150 ms", took)
	}
}

func TestAWireLosesDuplicatesAndReorders(t *testing.T) {
	const n = 400
	for _, c := range []struct {
		name string
		link Link
		good func(arrived []int, tr Traffic) bool
	}{
		{"nothing", Link{}, func(got []int, _ Traffic) bool { return len(got) == n && inOrder(got) }},
		{"jitter keeps the order", Link{Jitter: 20 * time.Millisecond}, func(got []int, _ Traffic) bool { return len(got) == n && inOrder(got) }},
		{"loss", Link{Loss: 0.3}, func(got []int, tr Traffic) bool { return len(got) == n-int(tr.Lost) && tr.Lost > n/5 && tr.Lost < n/2 }},
		{"duplication", Link{Duplicate: 0.3}, func(got []int, tr Traffic) bool { return len(got) == n+int(tr.Duplicated) && tr.Duplicated > n/5 }},
		{"reordering", Link{Delay: 5 * time.Millisecond, Reorder: 0.2}, func(got []int, tr Traffic) bool { return len(got) == n && !inOrder(got) && tr.Reordered > n/10 }},
		{"corruption", Link{Corrupt: 0.3}, func(got []int, tr Traffic) bool { return len(got) < n && tr.Corrupted > n/5 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, h := newWire(t, "a", "b")
			a, b := newMailbox(t, h[0]), newMailbox(t, h[1])
			a.reaches(b)
			must(t, w.Set("a", "b", c.link))
			var arrived []int
			for i := range n {
				a.send(b, fmt.Sprintf("%d", i))
				if i%20 == 19 { // the receiver's buffer is no part of the test
					arrived = append(arrived, b.numbers()...)
				}
			}
			arrived = append(arrived, b.numbers()...)
			if tr := w.Traffic(); !c.good(arrived, tr) {
				t.Errorf("%d of %d arrived, in order: %v, %+v", len(arrived), n, inOrder(arrived), tr)
			}
		})
	}
}

// numbers reads until nothing more comes.
func (m mailbox) numbers() (all []int) {
	for {
		text := m.next(60 * time.Millisecond)
		if text == "" {
			return all
		}
		var i int
		if _, err := fmt.Sscanf(text, "%d", &i); err == nil {
			all = append(all, i)
		}
	}
}

func inOrder(numbers []int) bool {
	for i := 1; i < len(numbers); i++ {
		if numbers[i] < numbers[i-1] {
			return false
		}
	}
	return true
}

func TestAForgedPacketReachesTheProgram(t *testing.T) {
	w, h := newWire(t, "a", "b")
	a, b := newMailbox(t, h[0]), newMailbox(t, h[1])
	a.reaches(b)
	must(t, w.Set("a", "b", Link{Forge: 1}))
	for range 20 {
		text := strings.Repeat("x", 1+rand.IntN(100))
		a.send(b, text)
		if got := b.next(patience); len(got) != len(text) || got == text {
			t.Fatalf("sent %q, got %q", text, got)
		}
	}
}

func TestTCPSurvivesABadWire(t *testing.T) {
	w, h := newWire(t, "a", "b")
	w.SetAll(Link{Delay: 3 * time.Millisecond, Jitter: 2 * time.Millisecond, Loss: 0.02, Duplicate: 0.02, Reorder: 0.02, Corrupt: 0.02})
	var l net.Listener
	must(t, h[1].Do(func() (err error) { l, err = net.Listen("tcp", netip.AddrPortFrom(h[1].Addr, 0).String()); return err }))
	defer closeOf(t, l)

	sent := make([]byte, 256<<10)
	for i := range sent {
		sent[i] = byte(rand.Uint32())
	}
	failed := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = io.Copy(conn, bytes.NewReader(sent))
			closeOf(t, conn)
		}
		failed <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	conn, err := h[0].Dial(ctx, "tcp", l.Addr().String())
	must(t, err)
	defer closeOf(t, conn)
	must(t, conn.SetDeadline(time.Now().Add(3*patience)))
	got, err := io.ReadAll(conn)
	must(t, err)
	must(t, <-failed)
	if sha256.Sum256(got) != sha256.Sum256(sent) {
		t.Errorf("%d bytes arrived, not the %d that were sent", len(got), len(sent))
	}
	if tr := w.Traffic(); tr.Lost == 0 || tr.Corrupted == 0 || tr.Duplicated == 0 || tr.Reordered == 0 {
		t.Errorf("the wire did not misbehave: %+v", tr)
	}
}

func TestADiskIsFullWhenItIsFull(t *testing.T) {
	d, err := NewDisk(1 << 20)
	must(t, err)
	file := filepath.Join(d.Path(), "file")
	must(t, os.WriteFile(file, make([]byte, 512<<10), 0o600))
	if err := os.WriteFile(filepath.Join(d.Path(), "more"), make([]byte, 600<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("600 KiB beside 512 KiB on 1 MiB: %v", err)
	}
	// Other processes see it, too.
	must(t, exec.Command("rm", file).Run())
	must(t, d.Close())
	if _, err := os.Stat(file); err == nil {
		t.Error("still there after Close")
	}
}

func TestHostsOfDifferentNetworksDoNotMeet(t *testing.T) {
	_, h := newSwitch(t, "a", "b")
	_, g := newSwitch(t, "a", "b")
	a, b, other := newMailbox(t, h[0]), newMailbox(t, h[1]), newMailbox(t, g[1])
	a.reaches(b)
	a.send(b, "for b")
	if b.next(patience) != "for b" || other.next(50*time.Millisecond) != "" {
		t.Error("a packet left its network")
	}
}

// crash makes a network with a process in it, says so, and waits to be killed.
func crash() {
	s, err := NewSwitch()
	if err != nil {
		panic(err)
	}
	h, err := s.Host("a")
	if err != nil {
		panic(err)
	}
	inside, err := h.Start(proc.Command{Argv: []string{"sleep", "60"}, Log: os.DevNull})
	if err != nil {
		panic(err)
	}
	id, err := os.Readlink(h.path())
	if err != nil {
		panic(err)
	}
	fmt.Println(inside.PID(), id)
	select {}
}

func TestACrashLeavesNothing(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "NETLAB_TEST_CRASH=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	var pid int
	var id string
	if _, err := fmt.Sscan(line, &pid, &id); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if len(inhabitants(t, id)) == 0 {
		t.Fatalf("nobody is in %s, so the test would show nothing", id)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for end := time.Now().Add(patience); ; {
		left := inhabitants(t, id)
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still in %s: %v", id, left)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// inhabitants lists the processes in a namespace. A namespace without any, and
// without an open file, is gone.
func inhabitants(t *testing.T, id string) (pids []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	must(t, err)
	for _, link := range links {
		if found, err := os.Readlink(link); err == nil && found == id {
			pids = append(pids, link)
		}
	}
	return pids
}
