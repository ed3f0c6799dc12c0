// Command baseline is the yardstick of the benchmark: an HTTP server that routes
// the consume call and answers it with a fixed decision. It reads nothing,
// decides nothing and keeps nothing but a count of its answers, so what a real
// server costs above it is the price of the work, not of HTTP.
//
// It is no example of how to write a server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/mux"
)

// answer has the members and the length of a real decision.
const answer = `{"allowed":true,"agent":"bench-00000","tokens":1,"limit":1000000000,"remaining":999999999,"retry_after_ms":0,"reset_ms":1}` + "\n"

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("baseline", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:0", "listen `address`")
	router := flags.String("router", "mux", "what routes: nethttp or mux")
	if err := flags.Parse(args); err != nil {
		return 2
	}

	var answered atomic.Uint64
	handler, err := newHandler(*router, &answered)
	if err != nil {
		fmt.Fprintln(stderr, "baseline:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *addr, handler); err != nil {
		fmt.Fprintln(stderr, "baseline:", err)
		return 1
	}
	return 0
}

// newHandler returns the routes of a baseline: the consume call, /readyz, and
// /answered, which tells how many consume calls were answered.
func newHandler(router string, answered *atomic.Uint64) (http.Handler, error) {
	consume := func(w http.ResponseWriter, _ *http.Request) {
		answered.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}
	ready := func(http.ResponseWriter, *http.Request) {}
	count := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strconv.FormatUint(answered.Load(), 10))
	}

	switch router {
	case "nethttp":
		m := http.NewServeMux()
		m.HandleFunc("POST /v1/agents/{agent}/consume", consume)
		m.HandleFunc("GET /readyz", ready)
		m.HandleFunc("GET /answered", count)
		return m, nil
	case "mux":
		m := mux.NewRouter()
		m.HandleFunc("/v1/agents/{agent}/consume", consume).Methods(http.MethodPost)
		m.HandleFunc("/readyz", ready).Methods(http.MethodGet)
		m.HandleFunc("/answered", count).Methods(http.MethodGet)
		return m, nil
	default:
		return nil, fmt.Errorf("unknown router %q: nethttp or mux", router)
	}
}

// serve answers on addr until ctx ends.
func serve(ctx context.Context, addr string, h http.Handler) error {
	srv := &http.Server{Addr: addr, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- srv.Close()
	}()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
