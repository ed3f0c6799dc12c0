package main

import (
	"context"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// fast is fixed for fasthttp, which has no router: the path is cut by hand.
func fast(answered *counter) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		path := string(ctx.Path())
		agent, isAgent := strings.CutPrefix(path, "/v1/agents/")
		agent, isConsume := strings.CutSuffix(agent, "/consume")
		switch {
		case isAgent && isConsume && !strings.Contains(agent, "/"):
			if !ctx.IsPost() {
				ctx.Error("", fasthttp.StatusMethodNotAllowed)
				return
			}
			answered.Add(1)
			ctx.SetContentType("application/json")
			ctx.SetBodyString(answer)
		case path == "/readyz":
		case path == "/answered":
			ctx.SetBody(fasthttp.AppendUint(nil, int(answered.Load())))
		default:
			ctx.Error("", fasthttp.StatusNotFound)
		}
	}
}

func serveFast(ctx context.Context, addr string, answered *counter) error {
	srv := &fasthttp.Server{Handler: fast(answered), ReadTimeout: 2 * time.Minute}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- srv.Shutdown()
	}()
	if err := srv.ListenAndServe(addr); err != nil {
		return err
	}
	return <-stopped
}
