package front

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers /hot with its body, and leaves /cold to net/http.
type echo struct{}

func (echo) Answer(_ context.Context, req *Request, out []byte, closing bool) ([]byte, bool) {
	if !strings.HasPrefix(string(req.Path), "/hot") {
		return out, false
	}
	if string(req.Path) == "/hot/panic" {
		panic("on purpose")
	}
	end := ""
	if closing {
		end = "Connection: close\r\n"
	}
	return fmt.Appendf(out, "HTTP/1.1 200 OK\r\nServed: hot\r\n%sContent-Length: %d\r\n\r\n%s", end, len(req.Body), req.Body), true
}

type site struct {
	t     *testing.T
	front *Server
	http  *http.Server
	done  chan struct{}
}

// eachWay runs a test over connections whose file descriptor the front can
// see, and over others, such as those of TLS.
func eachWay(t *testing.T, o Options, fn func(t *testing.T, s *site)) {
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"descriptor": func(l net.Listener) net.Listener { return l },
		"plain":      func(l net.Listener) net.Listener { return veiled{l} },
	} {
		t.Run(name, func(t *testing.T) { fn(t, newSite(t, o, wrap)) })
	}
}

// veiled accepts connections that are nothing but a net.Conn.
type veiled struct{ net.Listener }

func (v veiled) Accept() (net.Conn, error) {
	c, err := v.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{c}, nil
}

func newSite(t *testing.T, o Options, wrap func(net.Listener) net.Listener) *site {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = wrap(l)
	o.Hot = echo{}
	s := &site{t: t, front: Listen(l, o), done: make(chan struct{})}
	s.http = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Served", "general")
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(s.front); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(s.stop)
	return s
}

func (s *site) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(s.http.Shutdown(ctx), s.front.Wait(ctx)); err != nil {
		s.t.Errorf("stop: %v", err)
	}
	<-s.done
}

type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (s *site) dial() *client {
	s.t.Helper()
	c, err := net.Dial("tcp", s.front.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{s.t, c, bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		c.t.Error(err)
	}
}

// expect reads an answer and checks who gave it.
func (c *client) expect(served, body string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	got, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Served") != served || string(got) != body {
		c.t.Fatalf("answer %q by %q (%v), want %q by %q", got, r.Header.Get("Served"), err, body, served)
	}
}

func (c *client) expectEnd() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Fatalf("the connection goes on with %q", b)
	}
}

func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func TestHotAndGeneralOnOneConnection(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		c := s.dial()
		c.send(post("/hot", "1"))
		c.expect("hot", "1")
		c.send(post("/cold", "2"))
		c.expect("general", "2")
		c.send(post("/hot", "3")) // the connection stays with net/http
		c.expect("general", "3")
	})
}

func TestPipelinedRequestsKeepTheirOrder(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		c := s.dial()
		c.send(post("/hot", "1") + post("/hot", "2") + post("/cold", "3") + post("/hot", "4"))
		c.expect("hot", "1")
		c.expect("hot", "2")
		c.expect("general", "3")
		c.expect("general", "4")
	})
}

func TestRequestsInSmallPieces(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		c := s.dial()
		for _, b := range []byte(post("/hot", strings.Repeat("x", 300))) {
			c.send(string(b))
		}
		c.expect("hot", strings.Repeat("x", 300))
	})
}

func TestLargeBodiesGrowTheBufferOrGoOn(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		c := s.dial()
		for _, n := range []int{5_000, 20_000, 5, 100_000, maxBody} {
			c.send(post("/hot", strings.Repeat("x", n)))
			c.expect("hot", strings.Repeat("x", n))
		}
		c.send(post("/hot", strings.Repeat("x", maxBody+1)))
		c.expect("general", strings.Repeat("x", maxBody+1))
	})
}

func TestChunkedAndExpectAreServedByNetHTTP(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		c := s.dial()
		c.send("POST /hot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
		c.expect("general", "abc")
		c = s.dial()
		c.send("POST /hot HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		if line, err := c.r.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("%q %v", line, err)
		}
		if _, err := c.r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		c.send("ab")
		c.expect("general", "ab")
	})
}

// A request that says two things about its length must have one reader only.
func TestSmugglingIsNetHTTPsToJudge(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		c := s.dial()
		c.send("POST /hot HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nPOST /hot HTTP/1.1\r\n")
		r, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Header.Get("Served") == "hot" {
			t.Error("served in front")
		}
	})
}

func TestHalfARequestTimesOut(t *testing.T) {
	eachWay(t, Options{HeadTimeout: 50 * time.Millisecond}, func(t *testing.T, s *site) {
		c := s.dial()
		c.send("POST /hot HTTP/1.1\r\nHost")
		c.expectEnd()
	})
}

func TestIdleConnectionTimesOut(t *testing.T) {
	eachWay(t, Options{IdleTimeout: 50 * time.Millisecond}, func(t *testing.T, s *site) {
		c := s.dial()
		c.expectEnd()
	})
}

func TestStopEndsIdleConnectionsAtOnce(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		c := s.dial()
		c.send(post("/hot", "1"))
		c.expect("hot", "1")
		s.stop()
		c.expectEnd()
	})
}

func TestStopLetsAStartedRequestFinish(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		c := s.dial()
		whole := post("/hot", "1")
		c.send(post("/hot", "0") + whole[:30])
		c.expect("hot", "0")
		if err := s.http.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.send(whole[30:])
		c.expect("hot", "1")
		c.expectEnd()
	})
}

func TestPanicCostsOneConnection(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		c := s.dial()
		c.send(post("/hot/panic", ""))
		c.expectEnd()
		c = s.dial()
		c.send(post("/hot", "1"))
		c.expect("hot", "1")
	})
}

// Requests of all sizes, cut anywhere, on several connections at once: each
// answer is that of its request, in order.
func TestAStreamOfRequestsCutAnywhere(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		rng := rand.New(rand.NewPCG(1, 2))
		var group sync.WaitGroup
		for range 4 {
			var stream strings.Builder
			var bodies []string
			for i := range 200 {
				n := rng.IntN(300)
				if i%50 == 49 {
					n = rng.IntN(maxBody)
				}
				bodies = append(bodies, strings.Repeat(string(rune('a'+i%26)), n))
				stream.WriteString(post("/hot", bodies[i]))
			}
			c, rest := s.dial(), stream.String()
			var cuts []int
			for left := len(rest); left > 0; left -= cuts[len(cuts)-1] {
				cuts = append(cuts, min(left, 1+rng.IntN(10_000)))
			}
			group.Go(func() {
				for _, n := range cuts {
					c.send(rest[:n])
					rest = rest[n:]
				}
			})
			group.Go(func() {
				for _, body := range bodies {
					c.expect("hot", body)
				}
			})
		}
		group.Wait()
	})
}

// A client that sends a lot before it reads gets everything all the same.
func TestASlowReaderGetsItsAnswers(t *testing.T) {
	eachWay(t, Options{}, func(t *testing.T, s *site) {
		const n = 300
		body := strings.Repeat("x", 60_000)
		c := s.dial()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range n {
				c.send(post("/hot", body))
			}
		}()
		for range n {
			c.expect("hot", body)
		}
		<-sent
	})
}

// A client that never reads is given up, not waited for.
func TestAClientThatDoesNotReadIsCut(t *testing.T) {
	eachWay(t, Options{WriteTimeout: 50 * time.Millisecond}, func(_ *testing.T, s *site) {
		c := s.dial()
		for text := post("/hot", strings.Repeat("x", maxBody)); ; {
			if _, err := io.WriteString(c.Conn, text); err != nil {
				return // the deadline of the client would say so too, much later
			}
		}
	})
}
