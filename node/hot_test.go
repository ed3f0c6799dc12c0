package node

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/ratelimit"
)

// caller asks a node over one connection and allocates nothing in doing so.
type caller struct {
	tb testing.TB
	net.Conn
	answer []byte
}

// hotNode starts a node whose background is quiet enough to count what a
// request allocates, and a connection to it. The buckets named full hold more
// than a test asks for, those named empty next to nothing.
func hotNode(tb testing.TB) *caller {
	n, err := Open(tb.Context(), Options{
		DataDir: tb.TempDir(), HTTPAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0", FlushInterval: 10 * time.Second,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = n.Close(context.Background()) })
	for name, capacity := range map[string]int64{"full": 1 << 32, "empty": 1} {
		_, err := public{n}.PutPolicy(tb.Context(), api.DefaultTenant, ratelimit.Policy{
			Name: name, Match: name + "-*", Capacity: capacity, RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(3600),
		}, api.Condition{})
		if err != nil {
			tb.Fatal(err)
		}
	}
	c, err := net.Dial("tcp", n.HTTPAddr())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return &caller{tb, c, make([]byte, 1<<20)}
}

// ask sends a request, reads the answer and returns its status.
func (c *caller) ask(request []byte) []byte {
	if _, err := c.Write(request); err != nil {
		c.tb.Fatal(err)
	}
	for n, whole := 0, -1; whole < 0 || n < whole; {
		m, err := c.Read(c.answer[n:])
		if err != nil {
			c.tb.Fatal(err)
		}
		if n += m; whole < 0 {
			whole = length(c.answer[:n])
		}
	}
	return c.answer[len("HTTP/1.1 "):][:3]
}

// length is how long the answer is that begins with b; -1 while its head is not whole.
func length(b []byte) int {
	const field = "Content-Length: "
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return -1
	}
	size := 0
	for _, c := range b[bytes.Index(b[:head], []byte(field))+len(field):] {
		if c == '\r' {
			break
		}
		size = size*10 + int(c-'0')
	}
	return head + 4 + size
}

func rawPost(path, body string) []byte {
	return []byte("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// hotRequests are 1,000 calls about as many buckets, and one batch about all of them.
func hotRequests(kind string) (calls [][]byte, batch []byte) {
	var checks []string
	for i := range 1000 {
		agent := fmt.Sprintf("%s-%05d", kind, i)
		calls = append(calls, rawPost("/v1/agents/"+agent+"/consume", `{"tokens":1}`))
		checks = append(checks, `{"agent":"`+agent+`","tokens":1}`)
	}
	return calls, rawPost("/v1/consume", `{"checks":[`+strings.Join(checks, ",")+`]}`)
}

func BenchmarkHot(b *testing.B) {
	for _, kind := range []string{"full", "empty"} {
		c := hotNode(b)
		calls, batch := hotRequests(kind)
		for _, r := range calls {
			c.ask(r)
		}
		b.Run("consume/"+kind, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.ask(calls[i%len(calls)])
			}
		})
		b.Run("batch/"+kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.ask(batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(calls)), "ns/check")
		})
	}
}
