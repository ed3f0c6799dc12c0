package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/verify"
)

// verification runs clawd verify against URLs and returns its report.
func verification(t *testing.T, urls []string, during func(*os.Process), flags ...string) (verify.Report, int) {
	t.Helper()
	bin, err := fleet.Binary()
	must(t, err)
	args := append([]string{"verify", "--nodes", strings.Join(urls, ","), "--duration", "3s", "--timeout", "3s", "-o", "json"}, flags...)
	cmd := exec.CommandContext(within(t, patience), bin, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	must(t, cmd.Start())
	if during != nil {
		during(cmd.Process)
	}
	_ = cmd.Wait() // how it ended is its exit code
	var r verify.Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("no report: %v; exit code %d, it said\n%s%s", err, cmd.ProcessState.ExitCode(), &stdout, &stderr)
	}
	for _, c := range r.Checks {
		t.Logf("%s %s: %s", c.Status, c.Name, c.Detail)
	}
	return r, cmd.ProcessState.ExitCode()
}

func urlsOf(nodes ...*fleet.Node) (urls []string) {
	for _, n := range nodes {
		urls = append(urls, "http://"+n.HTTP)
	}
	return urls
}

// fails checks that exactly these checks failed, and that one of them says it.
func fails(t *testing.T, r verify.Report, code int, sentence string, names ...string) {
	t.Helper()
	var failed, said []string
	for _, c := range r.Checks {
		if c.Status == verify.Fail {
			failed = append(failed, c.Name)
			said = append(said, c.Detail)
		}
	}
	if code != 1 || r.Passed || !slices.Equal(failed, names) {
		t.Errorf("exit code %d, passed %v, failed %q; want 1, false, %q", code, r.Passed, failed, names)
	}
	if !strings.Contains(strings.Join(said, "\n"), sentence) {
		t.Errorf("nothing says %q", sentence)
	}
}

// leavesNothing checks that no temporary name is left on any node.
func leavesNothing(t *testing.T, prefix string, nodes ...*fleet.Node) {
	t.Helper()
	for _, n := range nodes {
		for k, err := range n.Client.KV.All(t.Context(), prefix) {
			t.Errorf("%s has key %s (%v)", n.Name, k.Key, err)
		}
		for a, err := range n.Client.Agents.All(t.Context(), prefix) {
			t.Errorf("%s has agent %s (%v)", n.Name, a.Agent, err)
		}
		for p, err := range n.Client.Policies.All(t.Context()) {
			must(t, err)
			if strings.HasPrefix(p.Name, prefix) {
				t.Errorf("%s has policy %s", n.Name, p.Name)
			}
		}
	}
}

// between is a proxy in front of a node, in which handle may answer instead.
func between(t *testing.T, n *fleet.Node, handle func(w http.ResponseWriter, r *http.Request) bool) string {
	t.Helper()
	to, err := url.Parse("http://" + n.HTTP)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !handle(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func isConsume(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/consume") }

// One cluster for all: verifications do not see each other.
func TestVerify(t *testing.T) {
	t.Parallel()
	_, nodes := started(t, "a", "b", "c")
	urls := urlsOf(nodes...)

	t.Run("a healthy cluster passes and keeps nothing", func(t *testing.T) {
		t.Parallel()
		r, code := verification(t, urls, nil)
		if code != 0 || !r.Passed || r.ConvergedMS == nil || r.KVVisibleMS == nil || len(r.LeftBehind) > 0 {
			t.Errorf("exit code %d: %+v", code, r)
		}
		for _, a := range r.Agents {
			if a.Requests == 0 || a.Admitted == 0 || int64(a.Requests) == a.Admitted {
				t.Errorf("the limit of %s did not matter: %+v", a.Agent, a)
			}
		}
		leavesNothing(t, r.Prefix, nodes...)
	})

	t.Run("what admits everything in front of a node is found out", func(t *testing.T) {
		t.Parallel()
		liar := between(t, nodes[2], func(w http.ResponseWriter, r *http.Request) bool {
			if isConsume(r) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{"allowed":true,"agent":"x","tokens":1,"limit":1,"remaining":1,"retry_after_ms":0,"reset_ms":0}`)
			}
			return isConsume(r)
		})
		r, code := verification(t, []string{urls[0], urls[1], liar}, nil, "--duration", "6s", "--within", "2s")
		fails(t, r, code, liar+" granted", "limit shared-1", "limit shared-2", "limit single", "totals")
		leavesNothing(t, r.Prefix, nodes...)
	})

	t.Run("so is what turns denials into grants", func(t *testing.T) {
		t.Parallel()
		liar := between(t, nodes[1], func(w http.ResponseWriter, r *http.Request) bool {
			if !isConsume(r) {
				return false
			}
			asked, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+nodes[1].HTTP+r.URL.Path, r.Body)
			if err != nil {
				return false
			}
			asked.Header = r.Header
			answer, err := http.DefaultClient.Do(asked)
			if err != nil {
				return false
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			_, _ = w.Write(bytes.ReplaceAll(body, []byte(`"allowed":false`), []byte(`"allowed":true`)))
			return true
		})
		r, code := verification(t, []string{urls[0], liar}, nil, "--within", "2s")
		if code != 1 || r.Passed {
			t.Errorf("exit code %d, passed %v", code, r.Passed)
		}
	})

	t.Run("what cannot be removed is named", func(t *testing.T) {
		t.Parallel()
		refuses := func(w http.ResponseWriter, r *http.Request) bool {
			refused := r.Method == http.MethodDelete && strings.HasPrefix(r.URL.Path, "/v1/policies/")
			if refused {
				w.WriteHeader(http.StatusForbidden)
			}
			return refused
		}
		r, code := verification(t, []string{between(t, nodes[0], refuses), between(t, nodes[1], refuses)}, nil, "--duration", "1s")
		fails(t, r, code, "policy "+r.Prefix+"-single", "clean-up")
		if len(r.LeftBehind) != 3 {
			t.Errorf("left behind: %q", r.LeftBehind)
		}
	})

	t.Run("an interrupted one cleans up", func(t *testing.T) {
		t.Parallel()
		policies := func(ctx context.Context) (n int) {
			for p, err := range nodes[2].Client.Policies.All(ctx) {
				if err == nil && strings.HasPrefix(p.Name, "clawd-verify-interrupted") {
					n++
				}
			}
			return n
		}
		r, code := verification(t, urls, func(p *os.Process) {
			must(t, fleet.Until(within(t, patience), func(ctx context.Context) error {
				if policies(ctx) == 0 {
					return fmt.Errorf("it has not begun")
				}
				return nil
			}))
			must(t, p.Signal(os.Interrupt))
		}, "--duration", "5m", "--id", "interrupted")
		fails(t, r, code, "interrupted after", "finished")
		leavesNothing(t, r.Prefix, nodes...)
	})

	t.Run("nodes that were not joined are no cluster", func(t *testing.T) {
		t.Parallel()
		_, lone := started(t, "d")
		r, code := verification(t, append(slices.Clone(urls), urlsOf(lone...)...), nil)
		fails(t, r, code, "were never joined", "one cluster")
	})
}

func TestVerifyTellsOfANodeThatIsKilledMeanwhile(t *testing.T) {
	t.Parallel()
	_, nodes := started(t, "a", "b", "c")
	r, code := verification(t, urlsOf(nodes...), func(*os.Process) {
		must(t, fleet.Until(within(t, patience), func(ctx context.Context) error {
			for a, err := range nodes[1].Client.Agents.All(ctx, "clawd-verify-") {
				if err != nil || a.Consumed > 0 {
					return err
				}
			}
			return fmt.Errorf("it has not begun")
		}))
		must(t, nodes[1].Kill())
	})
	if code != 1 || !slices.ContainsFunc(r.Checks, func(c verify.Check) bool {
		return c.Name == "decisions" && c.Status == verify.Fail && strings.Contains(c.Detail, "b ("+urlsOf(nodes[1])[0]+") stopped answering")
	}) {
		t.Errorf("exit code %d, and nobody says that b stopped", code)
	}
	if r.ConvergedMS == nil || len(r.LeftBehind) > 0 {
		t.Errorf("those that are left agree and are cleaned up: %+v", r)
	}
	leavesNothing(t, r.Prefix, nodes[0], nodes[2])
}

// What is at the address, and what verify says of it.
func TestVerifySaysWhatIsWrongWithAnAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		sentence string
	}{
		"text": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>hello") }, "not what a clawd node sends"},
		"json": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"name":"x","members":[]}`) }, "not as a clawd node does"},
		"key":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "OPENCLAW_API_KEY"},
		"404":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(c.answer)
			defer s.Close()
			r, code := verification(t, []string{s.URL}, nil)
			fails(t, r, code, c.sentence, "nodes answer")
		})
	}
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewServer(http.NotFoundHandler())
		s.Close()
		r, code := verification(t, []string{s.URL}, nil)
		fails(t, r, code, "connection refused", "nodes answer")
	})
}

// Nothing was written, so nothing is left.
func TestVerifySaysWhoseKeyMayNotPutPolicies(t *testing.T) {
	t.Parallel()
	_, nodes := started(t, "a")
	url := between(t, nodes[0], func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"title":"Forbidden","detail":"the key has the role reader"}`)
		}
		return r.Method == http.MethodPut
	})
	r, code := verification(t, []string{url}, nil)
	fails(t, r, code, "the key has the role reader", "policies")
	if len(r.LeftBehind) > 0 {
		t.Errorf("nothing was written, yet it says %q is left", r.LeftBehind)
	}
}
