package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/openclaw/clawd/client"
)

// standIn answers in place of a node: examples run without a cluster.
func standIn(answers map[string]string) (url string, stop func()) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet && r.URL.Query().Has("watch") {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		fmt.Fprint(w, body)
	}))
	return s.URL, s.Close
}

// Consume answers for a denial as for a grant; an error means there is no
// answer.
func ExampleAgents_Consume() {
	url, stop := standIn(map[string]string{
		"POST /v1/agents/agent-42/consume": `{"allowed":true,"agent":"agent-42","tokens":5,"limit":1000,"remaining":995,"retry_after_ms":0,"reset_ms":18000}`,
	})
	defer stop()

	c, err := client.New(url, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	d, err := c.Agents.Consume(context.Background(), "agent-42", 5)
	switch {
	case err != nil:
		fmt.Println("no answer, failing open:", err)
	case !d.Allowed:
		fmt.Println("wait", d.RetryAfter())
	default:
		fmt.Println("go ahead,", d.Remaining, "left")
	}
	// Output: go ahead, 995 left
}

// A missing key is an error of a kind.
func ExampleKV_Get() {
	url, stop := standIn(nil)
	defer stop()

	c, err := client.New(url, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.KV.Get(context.Background(), "prompts/greeting")
	fmt.Println(errors.Is(err, client.ErrNotFound))
	// Output: true
}

// A watch goes on until its context ends or the loop is left.
func ExampleKV_Watch() {
	url, stop := standIn(map[string]string{
		"GET /v1/kv": "id: 1\nevent: put\ndata: {\"key\":\"a\",\"value\":\"x\"}\n\nid: 2\nevent: delete\ndata: {\"key\":\"a\"}\n\n",
	})
	defer stop()

	c, err := client.New(url, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range c.KV.Watch(context.Background(), client.WatchOptions{Prefix: "a"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Type, e.Key)
		if e.Type == client.EventDelete {
			break
		}
	}
	// Output:
	// put a
	// delete a
}
