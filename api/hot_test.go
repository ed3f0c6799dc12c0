package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/front"
)

// way is a server over a backend of its own: with the front, or without.
type way struct {
	addr    string
	backend *double
	hot     *countingHot
}

// countingHot tells how many requests were answered in front of the router.
type countingHot struct {
	front.Hot
	answered int
}

func (c *countingHot) Answer(ctx context.Context, req *front.Request, out []byte, closing bool) ([]byte, bool) {
	out, ok := c.Hot.Answer(ctx, req, out, closing)
	if ok {
		c.answered++
	}
	return out, ok
}

func newWay(t *testing.T, fronted, legacy bool) *way {
	w := &way{backend: newDouble()}
	o := api.Options{
		Public: w.backend, Registerer: prometheus.NewRegistry(), LegacyHeaders: legacy,
		RequestID: func() string { return "id" },
	}
	h, err := api.NewPublic(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	srv := &http.Server{Handler: h}
	wait := func(context.Context) error { return nil }
	if fronted {
		hot, err := api.NewHot(o)
		if err != nil {
			t.Fatal(err)
		}
		w.hot = &countingHot{Hot: hot}
		f := front.Listen(l, front.Options{Hot: w.hot})
		l, wait = f, f.Wait
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(srv.Shutdown(ctx), wait(ctx)); err != nil {
			t.Error(err)
		}
		<-done
	})
	return w
}

// exchanged is what a client sees of an answer.
type exchanged struct {
	Status int
	Header http.Header
	Body   string
}

func (w *way) exchange(t *testing.T, raw string) exchanged {
	t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.ContentLength != int64(len(body)) {
		t.Errorf("length %d of a body of %d", r.ContentLength, len(body))
	}
	if _, err := http.ParseTime(r.Header.Get("Date")); err != nil {
		t.Errorf("date: %v", err)
	}
	r.Header.Del("Date")
	return exchanged{r.StatusCode, r.Header, string(body)}
}

// One table of requests against both ways: whatever is answered in front of
// the router is what the router would have answered.
func TestHotAnswersAsTheRouterDoes(t *testing.T) {
	call := func(target, body string, fields ...string) string {
		head := "POST " + target + " HTTP/1.1\r\nHost: x\r\n"
		for _, f := range fields {
			head += f + "\r\n"
		}
		if body != "" {
			head += "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
		}
		return head + "\r\n" + body
	}
	const path, batch = "/v1/agents/bot/consume", "/v1/consume"
	cases := []struct {
		raw string
		hot bool // must be answered in front
	}{
		{call(path, ""), true},
		{call(path, `{"tokens":3}`), true},
		{call(path, ` { "tokens" : 3 } `), true},
		{call(path, `{}`), true},
		{call(path+"?tokens=7", ""), true},
		{call(path+"?tokens=7&deny_status=200", ""), true},
		{call(path, `{"tokens":900}`), true},
		{call(path, `{"tokens":900}`), true}, // denied
		{call(path+"?deny_status=403", `{"tokens":900}`), true},
		{call(path+"?deny_status=200", `{"tokens":900}`), true},
		{call(path, `{"tokens":5,"policy":{"capacity":10,"refill_rate":1.5,"interval_seconds":60}}`), true},
		{call("/v1/agents/agent:42:tokens/consume", ""), true},
		{call("/v1/agents/agent%3A42%3Atokens/consume", ""), true},
		{call("/v1/agents/a%2Fb%20c/consume", ""), true},
		{call("/v1/agents/%C3%A9%22%5C/consume", ""), true},
		{call("/v1/agents/"+strings.Repeat("a", 128)+"/consume", ""), true},
		{call(path, "", "User-Agent: x", "Accept: */*", "Connection: keep-alive"), true},
		{call(path, "", "Connection: close"), false},
		{call(path, "", "X-Request-Id: abc"), false},
		{call(path, `{"tokens":0}`), false},
		{call(path, `{"tokens":-1}`), false},
		{call(path, `{"tokens":1.5}`), false},
		{call(path, `{"tokens":99999999999999999999}`), false},
		{call(path, `{"tokens":1001}`), false},
		{call(path, `{"tokens":1,"tokens":2}`), false},
		{call(path, `{"token":1}`), false},
		{call(path, `{"tokens":1} x`), false},
		{call(path, `[`), false},
		{call(path+"?tokens=2", `{"tokens":3}`), false},
		{call(path+"?tokens=x", ""), false},
		{call(path+"?nonsense=1", ""), false},
		{call(path+"?deny_status=500", ""), false},
		{call("/v1/agents//consume", ""), false},
		{call("/v1/agents/a%00b/consume", ""), false},
		{call("/v1/agents/%FF/consume", ""), false},
		{call("/v1/agents/"+strings.Repeat("a", 129)+"/consume", ""), false},
		{call("/v1/agents/a/b/consume", ""), false},
		{call("/v1/agents/a/consume/", ""), false},
		{call("/v1/agents/a/consumer", ""), false},
		{call("/v1//agents/a/consume", ""), false},
		{call("/v1/agents/bot/refund", `{"tokens":1}`), false},
		{"POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", false},
		{"POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", false},
		{"POST " + path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false},
		{"POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + fmt.Sprint(70_000) + "\r\n\r\n" + strings.Repeat(" ", 70_000), false},
		{"GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{call(batch, `{"checks":[{"agent":"b"}]}`), true},
		{call(batch, `{"checks":[{"agent":"b","tokens":2},{"agent":"é\"\\u00e9\\\\"},{"tokens":3,"agent":"b"}],"atomic":false}`), true},
		{call(batch, `{"checks":[{"agent":"b"},{"agent":"c","tokens":990},{"agent":"c","tokens":100}]}`), true}, // one denied
		{call(batch, `{"atomic":true,"checks":[{"agent":"b"},{"agent":"d"}]}`), true},
		{call(batch, `{"atomic":true,"checks":[{"agent":"b"},{"agent":"c","tokens":900}]}`), true}, // denied
		{call(batch+"?deny_status=403", `{"atomic":true,"checks":[{"agent":"b"},{"agent":"c","tokens":900}]}`), true},
		{call(batch+"?deny_status=200", `{"atomic":true,"checks":[{"agent":"b"},{"agent":"c","tokens":900}]}`), true},
		{call(batch, `{"checks":[{"agent":"b","policy":{"capacity":10,"refill_rate":1.5,"interval_seconds":60}}]}`), true},
		{call(batch, `{"checks":[`+strings.Repeat(`{"agent":"many"},`, 999)+`{"agent":"many"}]}`), true},
		{call(batch, ""), false},
		{call(batch, `{"checks":[]}`), false},
		{call(batch, `{"checks":[{"agent":""}]}`), false},
		{call(batch, `{"checks":[{"agent":"b","tokens":1001}]}`), false},
		{call(batch, `{"checks":[{"agent":"b"}]`), false},
		{call(batch+"?tokens=2", `{"checks":[{"agent":"b"}]}`), false},
		{call(batch+"/", `{"checks":[{"agent":"b"}]}`), false},
		{call(batch, `{"checks":[`+strings.Repeat(`{"agent":"`+strings.Repeat("x", 100)+`"},`, 2999)+`{"agent":"b"}]}`), false}, // too long for the front
		{"POST " + batch + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n1a\r\n{\"checks\":[{\"agent\":\"b\"}]}\r\n0\r\n\r\n", false},
		{"POST " + path + " HTTP/1.0\r\nHost: x\r\n\r\n", false},
	}
	for _, legacy := range []bool{false, true} {
		fronted, plain := newWay(t, true, legacy), newWay(t, false, legacy)
		for _, c := range cases {
			before := fronted.hot.answered
			got, want := fronted.exchange(t, c.raw), plain.exchange(t, c.raw)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%.120q\nin front     %+v\nbehind       %+v", c.raw, got, want)
			}
			if hot := fronted.hot.answered > before; hot != c.hot {
				t.Errorf("%.120q: answered in front: %v, want %v", c.raw, hot, c.hot)
			}
		}
		if !reflect.DeepEqual(fronted.backend.consumed, plain.backend.consumed) {
			t.Errorf("consumed %v in front, %v behind", fronted.backend.consumed, plain.backend.consumed)
		}
	}
}

// A limiter that cannot answer is explained by the general way.
func TestHotLeavesFailuresToTheRouter(t *testing.T) {
	fronted, plain := newWay(t, true, false), newWay(t, false, false)
	const raw = "POST /v1/agents/bot/consume HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, err := range []error{api.ErrUnavailable, api.ErrConflict, api.Invalid("tokens", "too many"), errors.New("internal")} {
		fronted.backend.fail, plain.backend.fail = err, err
		if got, want := fronted.exchange(t, raw), plain.exchange(t, raw); !reflect.DeepEqual(got, want) || got.Status < 400 {
			t.Errorf("%v\nin front     %+v\nbehind       %+v", err, got, want)
		}
	}
}
