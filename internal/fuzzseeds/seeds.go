package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
)

// Bounds of what is kept of each target.
const (
	maxSeeds     = 8
	maxSeedBytes = 2 << 10
)

// seeds are the values of each target's seeds, by "package/target".
type seeds map[string][][]any

func (s seeds) add(target string, values ...any) {
	size := 0
	for _, v := range values {
		switch v := v.(type) {
		case []byte:
			size += len(v)
		case string:
			size += len(v)
		}
	}
	if size <= maxSeedBytes && len(s[target]) < maxSeeds {
		s[target] = append(s[target], values)
	}
}

// calls are the exchanges of the public listener.
func (s seeds) calls(list []exchange) {
	for _, x := range list {
		s.add("client/FuzzAnswers", x.status, string(x.body), x.header.Get("Content-Type"), x.header.Get("ETag"), x.header.Get("Retry-After"))
		s.add("api/FuzzPublic", x.request)
		if req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(x.request))); err == nil && strings.HasSuffix(req.URL.Path, "/consume") {
			body, _ := io.ReadAll(req.Body)
			s.add("api/FuzzHot", req.URL.EscapedPath(), req.URL.RawQuery, string(body))
			s.add("api/front/FuzzParse", x.request)
		}
	}
}

// sync asks a node for what it tells its peers.
func (s seeds) sync(ctx context.Context, addr string) error {
	pull := &antientropy.Pull{Cluster: "clawd", Run: crdt.Run{Origin: 1, Node: 1, Name: "seeds"}, Have: crdt.VersionVector{2: 3}}
	s.add("node/antientropy/FuzzPull", pull.Append(nil))
	if text, err := pull.JSON(); err == nil {
		s.add("node/antientropy/FuzzPull", text)
	}
	stream, err := ask(ctx, http.MethodPost, addr, "/v1/pull", pull.Append(nil))
	if err != nil {
		return err
	}
	s.add("node/antientropy/FuzzFrames", stream)
	if err := s.pages(stream); err != nil {
		return err
	}
	digest, err := ask(ctx, http.MethodGet, addr, "/v1/digest", nil)
	if err != nil {
		return err
	}
	s.add("node/antientropy/FuzzDigest", digest)
	snapshot, err := ask(ctx, http.MethodGet, addr, "/v1/snapshot", nil)
	if err != nil {
		return err
	}
	_, chunks, _ := bytes.Cut(snapshot, []byte("\n")) // the target writes the first line itself
	s.add("storage/FuzzImport", chunks)
	return nil
}

// pages are the messages of a pull's answer.
func (s seeds) pages(stream []byte) error {
	in := bytes.NewReader(stream)
	for {
		message, err := antientropy.ReadFrame(in, nil)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := antientropy.DecodeAck(message); err == nil {
			s.add("node/antientropy/FuzzAck", message)
			continue
		}
		page, err := antientropy.DecodePage(message)
		if err != nil {
			return err
		}
		s.add("node/antientropy/FuzzDecodePage", message)
		s.add("node/replica/FuzzMerge", message)
		if text, err := page.JSON(); err == nil {
			s.add("node/antientropy/FuzzPageJSON", text)
		}
	}
}

func ask(ctx context.Context, method, addr, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", wire.ContentTypeMerge)
	if body != nil {
		req.Header.Set("Content-Type", wire.ContentTypeMerge)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s: %s", path, res.Status, answer)
	}
	return answer, err
}

// write replaces the seeds of every target that got some.
func (s seeds) write() error {
	for target, list := range s {
		pkg, name := filepath.Split(target)
		dir := filepath.Join(pkg, "testdata", "fuzz", name)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
		old, err := filepath.Glob(filepath.Join(dir, "traffic-*"))
		if err != nil {
			return err
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
		for i, values := range list {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("traffic-%02d", i+1)), corpus(values), 0o600); err != nil {
				return err
			}
		}
		fmt.Printf("%s: %d seeds\n", target, len(list))
	}
	return nil
}

// corpus is the form in which go test keeps a seed.
func corpus(values []any) []byte {
	var b bytes.Buffer
	b.WriteString("go test fuzz v1\n")
	for _, v := range values {
		switch v := v.(type) {
		case []byte:
			fmt.Fprintf(&b, "[]byte(%q)\n", v)
		default:
			fmt.Fprintf(&b, "%T(%#v)\n", v, v)
		}
	}
	return b.Bytes()
}
