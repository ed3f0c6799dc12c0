package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"
)

// fixed answers every call alike.
func fixed(answered *counter) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		answered.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}
}

func ready(http.ResponseWriter, *http.Request) {}

// count tells how many consume calls were answered.
func count(answered *counter) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strconv.FormatUint(answered.Load(), 10))
	}
}

func netHTTP(consume http.HandlerFunc, answered *counter) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST /v1/agents/{agent}/consume", consume)
	m.HandleFunc("GET /readyz", ready)
	m.HandleFunc("GET /answered", count(answered))
	return m
}

func gorilla(answered *counter) http.Handler {
	m := mux.NewRouter()
	m.HandleFunc("/v1/agents/{agent}/consume", fixed(answered)).Methods(http.MethodPost)
	m.HandleFunc("/readyz", ready).Methods(http.MethodGet)
	m.HandleFunc("/answered", count(answered)).Methods(http.MethodGet)
	return m
}

func serveHTTP(ctx context.Context, addr string, h http.Handler) error {
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
