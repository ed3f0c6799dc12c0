package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestBothRoutersAnswerTheConsumeCallAlikeAndCountIt(t *testing.T) {
	for _, router := range []string{"nethttp", "mux"} {
		t.Run(router, func(t *testing.T) {
			var answered atomic.Uint64
			h, err := newHandler(router, &answered)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range []struct {
				method, path string
				status       int
			}{
				{http.MethodPost, "/v1/agents/agent:42:tokens/consume", http.StatusOK},
				{http.MethodGet, "/v1/agents/a/consume", http.StatusMethodNotAllowed},
				{http.MethodPost, "/v1/agents/a/b/consume", http.StatusNotFound},
				{http.MethodGet, "/readyz", http.StatusOK},
			} {
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, httptest.NewRequest(row.method, row.path, strings.NewReader(`{"tokens":1}`)))
				if rec.Code != row.status {
					t.Errorf("%s %s: status %d, want %d", row.method, row.path, rec.Code, row.status)
				}
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/answered", nil))
			if got := rec.Body.String(); got != "1" {
				t.Errorf("answered %s consume calls, want 1", got)
			}
		})
	}
}

func TestTheFixedAnswerIsJSON(t *testing.T) {
	if !json.Valid([]byte(answer)) {
		t.Fatalf("not JSON: %s", answer)
	}
}

func TestAnUnknownRouterIsRefused(t *testing.T) {
	if _, err := newHandler("chi", new(atomic.Uint64)); err == nil {
		t.Fatal("a router that does not exist was accepted")
	}
}
