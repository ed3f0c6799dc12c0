package api

import (
	"bytes"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/openclaw/clawd/api/wire"
)

// keys is the store.
type keys struct {
	read  KVReader
	write KVWriter
	batch KVBatcher
}

// get answers GET /v1/kv/{key}: the bytes of a register as they were put, or the JSON of a counter.
func (k keys) get(w http.ResponseWriter, r *http.Request) error {
	key, err := pathName(r, "key", wire.MaxKeyBytes)
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	rec, err := k.read.GetKey(r.Context(), tenantOf(w), key)
	if err != nil {
		return err
	}
	if rec.Counter {
		writeJSON(w, http.StatusOK, wire.Counter{Key: key, Value: rec.Number})
		return nil
	}
	setRegister(w.Header(), rec)
	if unchanged(r.Header, rec.Version) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", typeOf(rec))
	w.Header().Set("Content-Length", strconv.Itoa(len(rec.Value)))
	_, _ = w.Write(rec.Value) // the client may be gone
	return nil
}

// setRegister writes the headers of a register. What callers stored must not run as a page of this origin in a
// browser, whatever content type they gave it.
func setRegister(h http.Header, rec Record) {
	h.Set("ETag", etag(rec.Version))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if rec.ExpiresAt != 0 {
		h.Set("Expires", time.UnixMilli(rec.ExpiresAt).UTC().Format(http.TimeFormat))
	}
}

// unchanged tells whether If-None-Match says the client has this version. A field that does not parse is no condition:
// the client gets the content.
func unchanged(h http.Header, version string) bool {
	tags, err := parseTags("If-None-Match", h.Values("If-None-Match"))
	return err == nil && matches(tags, true, version)
}

func typeOf(rec Record) string {
	if rec.ContentType == "" {
		return wire.ContentTypeBytes
	}
	return rec.ContentType
}

// put answers PUT /v1/kv/{key}. The body is the value, of any content type.
func (k keys) put(w http.ResponseWriter, r *http.Request) error {
	p, err := readPut(w, r)
	if err != nil {
		return err
	}
	written, err := k.write.PutKey(r.Context(), p)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(written.Version))
	w.WriteHeader(createdOr(http.StatusNoContent, written))
	return nil
}

func readPut(w http.ResponseWriter, r *http.Request) (p Put, err error) {
	p.Tenant = tenantOf(w)
	if p.Key, err = pathName(r, "key", wire.MaxKeyBytes); err != nil {
		return p, err
	}
	q, err := query(r, "ttl_seconds")
	if err != nil {
		return p, err
	}
	ttl, err := queryInt(q, "ttl_seconds", maxTTL, 0)
	if err != nil {
		return p, err
	}
	p.TTL = time.Duration(ttl) * time.Second
	if p.Cond, err = condition(r.Header); err != nil {
		return p, err
	}
	if p.ContentType, err = storedType("Content-Type", r.Header.Get("Content-Type")); err != nil {
		return p, err
	}
	var body bytes.Buffer // not pooled: the backend keeps it
	err = readBody(w, r, maxValueBody, &body)
	p.Value = body.Bytes()
	return p, err
}

// storedType checks a content type that is to be stored.
func storedType(field, s string) (string, error) {
	if s == "" {
		return wire.ContentTypeBytes, nil
	}
	if len(s) > maxTypeBytes {
		return "", Invalid(field, "is longer than %d bytes", maxTypeBytes)
	}
	if _, _, err := mime.ParseMediaType(s); err != nil {
		return "", Invalid(field, "is not a media type")
	}
	return s, checkPrefix(field, s, maxTypeBytes)
}

// delete answers DELETE /v1/kv/{key}.
func (k keys) delete(w http.ResponseWriter, r *http.Request) error {
	return remove(w, r, "key", wire.MaxKeyBytes, k.write.DeleteKey)
}

// increment answers POST /v1/kv/{key}/increment: {"by":n}, or ?by=n, or nothing for one.
func (k keys) increment(w http.ResponseWriter, r *http.Request) error {
	key, err := pathName(r, "key", wire.MaxKeyBytes)
	if err != nil {
		return err
	}
	by, err := readBy(w, r)
	if err != nil {
		return err
	}
	value, err := k.write.IncrementKey(r.Context(), tenantOf(w), key, by)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.Counter{Key: key, Value: value})
	return nil
}

func readBy(w http.ResponseWriter, r *http.Request) (int64, error) {
	q, err := query(r, "by")
	if err != nil {
		return 0, err
	}
	var body wire.IncrementRequest
	if err := readJSON(w, r, maxJSONBody, &body, true); err != nil {
		return 0, err
	}
	if !q.Has("by") {
		return checkBy(body.By)
	}
	if body.By != nil {
		return 0, Invalid("by", "is given in the query and in the body")
	}
	by, err := parseInt("by", q.Get("by"), -maxIncrement, maxIncrement)
	if err != nil {
		return 0, err
	}
	return checkBy(&by)
}

// checkBy checks an increment; nil is one.
func checkBy(by *int64) (int64, error) {
	switch {
	case by == nil:
		return 1, nil
	case *by == 0 || *by < -maxIncrement || *by > maxIncrement:
		return 0, Invalid("by", "must be a whole number from -%d to %d, and not 0", int64(maxIncrement), int64(maxIncrement))
	}
	return *by, nil
}

var listParams = append(slices.Clone(pageParams), "values")

// list answers GET /v1/kv.
func (k keys) list(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, listParams...)
	if err != nil {
		return err
	}
	p, values, err := listing(tenantOf(w), q)
	if err != nil {
		return err
	}
	list, more, err := k.read.ListKeys(r.Context(), p, values)
	if err != nil {
		return err
	}
	answer := wire.KeyList{Keys: make([]wire.KeyInfo, len(list))}
	for i := range list {
		answer.Keys[i] = keyInfo(&list[i], values)
	}
	if more {
		answer.Next = list[len(list)-1].Key
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

func listing(tenant string, q url.Values) (p Page, values bool, err error) {
	if values, err = queryFlag(q, "values"); err != nil {
		return p, false, err
	}
	if p, err = page(tenant, q, wire.MaxKeyBytes); err != nil {
		return p, false, err
	}
	if values {
		p.MaxBytes = maxPageBytes
	}
	return p, values, nil
}

func keyInfo(l *Listed, values bool) wire.KeyInfo {
	info := wire.KeyInfo{Key: l.Key, Kind: kindOf(&l.Record), ExpiresAt: instant(l.ExpiresAt)}
	if !l.Counter {
		info.ContentType, info.Size, info.ETag = typeOf(l.Record), l.Size, etag(l.Version)
	}
	if values || l.Counter {
		info.Value = content(&l.Record)
	}
	return info
}

func kindOf(rec *Record) string {
	if rec.Counter {
		return wire.KindCounter
	}
	return wire.KindRegister
}

// content is a value inside JSON: as text when it is text, so that people can read it.
func content(rec *Record) wire.Value {
	switch {
	case rec.Counter:
		return wire.Value{Counter: &rec.Number}
	case utf8.Valid(rec.Value):
		text := string(rec.Value)
		return wire.Value{Text: &text}
	default:
		text := base64.StdEncoding.EncodeToString(rec.Value)
		return wire.Value{Base64: &text}
	}
}

// instant is an RFC 3339 instant in UTC with milliseconds, "" for never.
func instant(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
