package discovery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	signAlgorithm = "AWS4-HMAC-SHA256"
	signTime      = "20060102T150405Z"
)

// sign adds an AWS signature, version 4, to a request whose body is given. The
// path must be "/" and the query empty, which is all that EC2 needs; every
// header that is set is signed.
func sign(req *http.Request, body []byte, keys accessKeys, region, service string, now time.Time) {
	now = now.UTC()
	req.Header.Set("X-Amz-Date", now.Format(signTime))
	if keys.token != "" {
		req.Header.Set("X-Amz-Security-Token", keys.token)
	}
	headers, signed := canonicalHeaders(req)
	sum := sha256.Sum256(body)
	canonical := strings.Join([]string{
		req.Method, "/", req.URL.RawQuery, headers, signed, hex.EncodeToString(sum[:]),
	}, "\n")

	scope := strings.Join([]string{now.Format("20060102"), region, service, "aws4_request"}, "/")
	sum = sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{signAlgorithm, now.Format(signTime), scope, hex.EncodeToString(sum[:])}, "\n")

	key := []byte("AWS4" + keys.secret)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	req.Header.Set("Authorization", signAlgorithm+" Credential="+keys.id+"/"+scope+
		", SignedHeaders="+signed+", Signature="+hex.EncodeToString(mac(key, text)))
}

// canonicalHeaders are the headers as they are signed, each with a newline, and
// their names.
func canonicalHeaders(req *http.Request) (lines, names string) {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	values := map[string]string{"host": host}
	for name, value := range req.Header {
		values[strings.ToLower(name)] = strings.Join(value, ",")
	}
	sorted := make([]string, 0, len(values))
	for name := range values {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	var b strings.Builder
	for _, name := range sorted {
		b.WriteString(name + ":" + strings.Join(strings.Fields(values[name]), " ") + "\n")
	}
	return b.String(), strings.Join(sorted, ";")
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
