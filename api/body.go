package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
)

// buffers are request bodies' buffers. Large ones are not kept.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keepBuffer = 1 << 20

func releaseBuffer(b *bytes.Buffer) {
	if b.Cap() <= keepBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// readBody reads the whole body into buf, at most limit bytes. It grows with what arrives and not with what is
// announced, so an announcement costs nothing.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, buf *bytes.Buffer) error {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &FieldError{Field: "Content-Encoding", Reason: "is not supported, send the body as it is", Kind: ErrUnsupported}
	}
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // rather than read the rest of it
		return tooLarge(limit)
	}
	if r.ContentLength == 0 || r.Body == nil {
		return nil
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	var over *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &over):
		w.Header().Set("Connection", "close")
		return tooLarge(limit)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Invalid("body", "ended before its announced length")
	default:
		return Invalid("body", "could not be read")
	}
}

func tooLarge(limit int64) error {
	return &FieldError{Field: "body", Reason: "is larger than " + strconv.FormatInt(limit, 10) + " bytes", Kind: ErrTooLarge}
}

// wantJSON checks the content type of a body that is there. One without a content type is taken for JSON.
func wantJSON(h http.Header) error {
	switch v := h["Content-Type"]; {
	case len(v) == 0 || v[0] == wire.ContentTypeJSON:
		return nil
	default:
		base, _, err := mime.ParseMediaType(v[0])
		if err == nil && base == wire.ContentTypeJSON {
			return nil
		}
		return &FieldError{Field: "Content-Type", Reason: "must be " + wire.ContentTypeJSON, Kind: ErrUnsupported}
	}
}

// readJSON reads and decodes a body of at most limit bytes. An empty one is an error, unless optional: then v stays as
// it is.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any, optional bool) error {
	buf := buffers.Get().(*bytes.Buffer)
	defer releaseBuffer(buf)
	if err := readBody(w, r, limit, buf); err != nil {
		return err
	}
	if buf.Len() == 0 {
		if optional {
			return nil
		}
		return Invalid("body", "is empty")
	}
	if err := wantJSON(r.Header); err != nil {
		return err
	}
	return decodeJSON(buf.Bytes(), v)
}

// readObject reads a value that must be a JSON object: null would leave it as it was.
func readObject[T any](w http.ResponseWriter, r *http.Request) (v T, err error) {
	var raw json.RawMessage
	if err := readJSON(w, r, maxJSONBody, &raw, false); err != nil {
		return v, err
	}
	if err := decodeJSON(raw, &v); err != nil {
		return v, err
	}
	if !bytes.HasPrefix(raw, []byte("{")) {
		return v, Invalid("body", "must be a JSON object")
	}
	return v, nil
}

// decodeJSON decodes one JSON value and nothing after it, refuses unknown fields, and names what is wrong.
func decodeJSON(data []byte, v any) error {
	if !utf8.Valid(data) {
		return Invalid("body", "is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return memberFault(data, v, jsonFault(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Invalid("body", "has something after its JSON value")
	}
	return nil
}

// jsonFault makes an error of encoding/json a FieldError.
func jsonFault(err error) error {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	var field *FieldError
	switch {
	case errors.As(err, &field):
		return err
	case errors.As(err, &syntax):
		return Invalid("body", "is not JSON: %s, at byte %d", strings.TrimPrefix(syntax.Error(), "json: "), syntax.Offset)
	case errors.As(err, &mistyped):
		name := memberPath(mistyped.Field)
		if name == "" {
			name = "body"
		}
		return Invalid(name, "cannot be a %s", mistyped.Value)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return Invalid("body", "is not JSON: it ends too early")
	}
	// encoding/json has no type for this one; without the prefix the text is still a good detail.
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name, uerr := strconv.Unquote(quoted); uerr == nil {
			return unknown("body", name, "field")
		}
	}
	return fmt.Errorf("%w: %w (%w)", Invalid("body", "is not valid"), err, errMember)
}

// notADecimal is what is said of a number that is not a ratelimit.Decimal.
const notADecimal = "must be a number, not negative, with at most six digits after the point"

// errMember stands for what a type with a text of its own says of it: encoding/json does not tell which member that was.
var errMember = errors.New("of a member")

// memberFault finds the member of an object that such an error is about, by decoding each alone.
func memberFault(data []byte, v any, err error) error {
	var members map[string]json.RawMessage
	if !errors.Is(err, errMember) || json.Unmarshal(data, &members) != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		alone, merr := json.Marshal(map[string]json.RawMessage{name: members[name]})
		if merr != nil {
			continue
		}
		merr = json.Unmarshal(alone, reflect.New(reflect.TypeOf(v).Elem()).Interface())
		switch {
		case errors.Is(merr, ratelimit.ErrInvalidDecimal):
			return Invalid(name, notADecimal)
		case merr != nil:
			return Invalid(name, "is not valid: %s", merr)
		}
	}
	return err
}

// memberPath is a path of encoding/json without the names of embedded types, which no caller knows.
func memberPath(path string) string {
	parts := strings.Split(path, ".")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p != "" && p[0] >= 'A' && p[0] <= 'Z' }), ".")
}
