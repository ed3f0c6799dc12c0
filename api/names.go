package api

import (
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/gorilla/mux"
)

// checkName tells what is wrong with a name: of an agent, a policy, a member, a key. Names are bytes of UTF-8 without
// control characters, so that they survive JSON, a log line and a terminal.
func checkName(field, name string, maxBytes int) error {
	if name == "" {
		return Invalid(field, "is empty")
	}
	return checkPrefix(field, name, maxBytes)
}

// checkPrefix is checkName for the beginning of a name, which may be empty.
func checkPrefix(field, name string, maxBytes int) error {
	if len(name) > maxBytes {
		return Invalid(field, "is longer than %d bytes", maxBytes)
	}
	ascii := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c < 0x20 || c == 0x7f {
			return Invalid(field, "has a control character at byte %d", i)
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !utf8.ValidString(name) {
		return Invalid(field, "is not valid UTF-8")
	}
	return nil
}

// pathName returns the path parameter, percent-decoded and checked. The router matches the path as it was sent, so
// that a %2F stays inside its name.
func pathName(r *http.Request, param string, maxBytes int) (string, error) {
	name, err := url.PathUnescape(mux.Vars(r)[param])
	if err != nil {
		return "", Invalid(param, "is not percent-encoded properly")
	}
	return name, checkName(param, name, maxBytes)
}
