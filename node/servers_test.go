package node

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestStoppingDoesNotWaitForConnectionsWithoutARequest(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(l, http.NotFoundHandler(), false, Options{}.WithDefaults().Logger, func(err error) { t.Error(err) })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	eventually(t, "the server has the connection", func() bool {
		found := false
		s.fresh.Range(func(any, any) bool { found = true; return false })
		return found
	})
	began := time.Now()
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second { // net/http alone takes 5 s
		t.Errorf("stopping took %v", took)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection was not closed: %v", err)
	}
}

func TestStoppingLetsACallFinish(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan struct{}), make(chan struct{})
	s := serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-end
		_, _ = io.WriteString(w, "done")
	}), false, Options{}.WithDefaults().Logger, func(err error) { t.Error(err) })
	answer := make(chan string, 1)
	go func() {
		resp, err := testClient.Get("http://" + l.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(resp.Body)
		answer <- string(b)
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop(t.Context()) }()
	eventually(t, "no new connection is taken", func() bool {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(end)
	if got := <-answer; got != "done" {
		t.Errorf("a call under way was answered with %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
