package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what scripts compare with; read the diff before committing it")

// TestMain makes the test binary be clawd when a script runs it under that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"clawd": main})
}

// TestScript runs testdata/script. Besides testscript's own commands there are
//
//	exits CODE program args…     runs a program that must end with CODE
//	json FILE [PATH VALUE]…      FILE is exactly one JSON document, in which …
//	fakenode FILE                answers from a table and sets CLAWD_ADDR
//	startnode NAME flags…        runs clawd serve and sets CLAWD_ADDR and NAME_…
//	stopnode, killnode NAME      SIGTERM and exit code 0; SIGKILL
//	stoptwice NAME               two SIGTERMs while a call is under way
//	eventually PATTERN program…  repeats a program until its output matches
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Values[nodesKey{}] = nodes{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"json":       jsonHas,
			"fakenode":   fakeNode,
			"startnode":  startNode,
			"stopnode":   stopNode,
			"killnode":   killNode,
			"stoptwice":  stopTwice,
			"eventually": eventually,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// jsonHas finds values by a dotted path: members[0].name is members.0.name.
func jsonHas(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args)%2 != 1 {
		ts.Fatalf("usage: json FILE [PATH VALUE]…")
	}
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	dec.UseNumber()
	var doc any
	ts.Check(dec.Decode(&doc))
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		ts.Fatalf("%s has something behind its JSON document", args[0])
	}
	for i := 1; i < len(args); i += 2 {
		got := lookUp(ts, doc, args[i])
		if got != args[i+1] {
			ts.Fatalf("%s is %s, want %s", args[i], got, args[i+1])
		}
	}
}

func lookUp(ts *testscript.TestScript, doc any, path string) string {
	for _, step := range strings.Split(path, ".") {
		switch v := doc.(type) {
		case map[string]any:
			member, ok := v[step]
			if !ok {
				ts.Fatalf("%s: there is no %q", path, step)
			}
			doc = member
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				ts.Fatalf("%s: a list of %d has no %q", path, len(v), step)
			}
			doc = v[i]
		default:
			ts.Fatalf("%s: %v has no %q", path, v, step)
		}
	}
	if s, ok := doc.(string); ok {
		return s
	}
	text, err := json.Marshal(doc)
	ts.Check(err)
	return string(text)
}

// fakeNode serves a table of "METHOD TARGET STATUS BODY" lines, so that what is
// printed can be compared to the byte. An unlisted request is a 404.
func fakeNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fakenode FILE")
	}
	answers := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	for lines.Scan() {
		method, rest, _ := strings.Cut(lines.Text(), " ")
		target, answer, _ := strings.Cut(rest, " ")
		answers[method+" "+target] = answer
	}
	asked, err := os.Create(ts.MkAbs("asked"))
	ts.Check(err)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(asked, "%s %s %s %s\n", r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), body)
		answer, ok := answers[r.Method+" "+r.URL.RequestURI()]
		if !ok {
			http.Error(w, "unlisted", http.StatusNotFound)
			return
		}
		status, text, _ := strings.Cut(answer, " ")
		code, _ := strconv.Atoi(status)
		writeAnswer(w, r, code, text)
	}))
	ts.Defer(func() {
		s.Close()
		_ = asked.Close()
	})
	ts.Setenv("CLAWD_ADDR", s.URL)
}

func writeAnswer(w http.ResponseWriter, r *http.Request, code int, text string) {
	switch {
	case r.URL.Query().Has("watch"):
		w.Header().Set("Content-Type", "text/event-stream")
		text = strings.ReplaceAll(text, `\n`, "\n")
	case strings.HasPrefix(text, "{") && code >= 400:
		w.Header().Set("Content-Type", "application/problem+json")
	case strings.HasPrefix(text, "{"):
		w.Header().Set("Content-Type", "application/json")
	default:
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("ETag", `"v1"`)
	}
	w.WriteHeader(code)
	_, _ = io.Copy(w, bytes.NewBufferString(text))
}
