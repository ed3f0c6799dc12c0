package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/witness"
)

func TestSlowAndHalfSentRequestsHurtNobodyElse(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	n := add(t, f, "a")
	must(t, n.Start(within(t, patience)))

	const body = `{"tokens":5}`
	head := "POST /v1/agents/half/consume HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	var half []net.Conn
	for i := range shortly(300, 150) {
		conn, err := net.Dial("tcp", n.HTTP)
		must(t, err)
		defer conn.Close()
		text := []string{
			"",                          // says nothing
			"POST /v1/agents/half/cons", // half a line
			head,                        // half a header
			head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body[:6]), // half a body
			head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"tok",                  // half a chunk
			head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body)+100, body), // less than it said
		}[i%6]
		_, err = io.WriteString(conn, text)
		must(t, err)
		half = append(half, conn)
	}

	// Everybody else is served as ever.
	load := within(t, 3*time.Second)
	f.Offer(load, fleet.Load{Nodes: []*fleet.Node{n}, PerSecond: 50, Agents: []string{"whole"}, Seed: 8})
	s := witness.Sum(f.Book.Answers())
	if s.Errors > 0 || s.Admitted == 0 {
		t.Errorf("beside half requests: %+v", s)
	}
	// A client that goes away in the middle has consumed nothing.
	for i, conn := range half {
		if i%2 == 0 {
			must(t, conn.Close())
		}
	}
	total, err := fleet.Totals(within(t, patience), "half", n)
	must(t, err)
	if total != 0 {
		t.Errorf("half requests consumed %d tokens", total)
	}

	// A header that never ends is cut off; a stop does not wait for any of them.
	stuck := half[1]
	must(t, stuck.SetReadDeadline(time.Now().Add(30*time.Second)))
	answer, err := io.ReadAll(stuck)
	if err != nil {
		t.Errorf("a half header still has its connection after 30 s: %v, %q", err, answer)
	}
	if len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
		t.Errorf("a half header was answered %q", answer)
	}
	began := time.Now()
	must(t, n.Stop())
	if took := time.Since(began); took > 12*time.Second {
		t.Errorf("the stop took %v with half requests open", took)
	}
	if code := n.Process().ExitCode(); code != 0 && code != 1 {
		t.Errorf("exit code %d", code)
	}
}

func TestAClientThatReadsSlowlyHoldsUpNobody(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	n := add(t, f, "a")
	must(t, n.Start(within(t, patience)))
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", n.HTTP)
		must(t, err)
		defer conn.Close()
		// Asks a hundred times and never reads.
		_, err = io.WriteString(conn, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 100+i))
		must(t, err)
	}
	f.Offer(within(t, 2*time.Second), fleet.Load{Nodes: []*fleet.Node{n}, PerSecond: 50, Agents: []string{"x"}, Seed: 9})
	if s := witness.Sum(f.Book.Answers()); s.Errors > 0 || s.Admitted == 0 {
		t.Errorf("beside clients that do not read: %+v", s)
	}
}
