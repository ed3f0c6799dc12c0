// Command baseline is the yardstick of the benchmark: HTTP servers that answer
// the consume call in the ways people do without clawd.
//
//	nethttp, mux, fasthttp   route the call and answer fixed bytes. They read no
//	                         body, decide nothing and keep nothing but a count, so
//	                         what a real server costs above them is the price of
//	                         the work, not of HTTP.
//	xrate                    net/http and a map of golang.org/x/time/rate limiters:
//	                         one process, nothing shared, nothing kept.
//	redis                    net/http, and a token bucket in Redis by a Lua script.
//
// It is a module of its own, so that none of what it needs is a dependency of
// clawd. It is no example of how to write a server.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// answer has the members and the length of a real decision.
const answer = `{"allowed":true,"agent":"bench-00000","tokens":1,"limit":1000000000,"remaining":999999999,"retry_after_ms":0,"reset_ms":1}` + "\n"

// counter is how many consume calls a server has answered.
type counter = atomic.Uint64

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("baseline", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:0", "listen `address`")
	kind := flags.String("kind", "mux", "what answers: nethttp, mux, fasthttp, xrate or redis")
	redisAddr := flags.String("redis", "127.0.0.1:6379", "`address` of Redis, for -kind redis")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *kind, *addr, *redisAddr); err != nil {
		fmt.Fprintln(stderr, "baseline:", err)
		return 1
	}
	return 0
}

// serve answers on addr until ctx ends.
func serve(ctx context.Context, kind, addr, redisAddr string) error {
	var answered counter
	switch kind {
	case "fasthttp":
		return serveFast(ctx, addr, &answered)
	case "redis":
		r, err := openRedis(ctx, redisAddr)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		return serveHTTP(ctx, addr, netHTTP(limited(r, &answered), &answered))
	case "xrate":
		return serveHTTP(ctx, addr, netHTTP(limited(newLimiters(), &answered), &answered))
	case "nethttp":
		return serveHTTP(ctx, addr, netHTTP(fixed(&answered), &answered))
	case "mux":
		return serveHTTP(ctx, addr, gorilla(&answered))
	}
	return fmt.Errorf("unknown kind %q: nethttp, mux, fasthttp, xrate or redis", kind)
}
