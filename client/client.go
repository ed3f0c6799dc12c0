package client

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options tune a Client. The zero value is what most programs want.
type Options struct {
	// APIKey is sent as a bearer token; empty sends none.
	APIKey string
	// HTTPClient makes the requests; nil gives a client of its own that keeps
	// up to 64 idle connections to the node.
	HTTPClient *http.Client
	// Timeout bounds one attempt of one call, streams excepted. Default 10 s.
	// A context with an earlier deadline wins.
	Timeout time.Duration
	// MaxRetries is how often a call that may be repeated is repeated.
	// Default 3; negative = never.
	MaxRetries int
	// Backoff is the longest pause before the nth repetition (n from 0); the
	// pause itself is drawn evenly from its upper half, so that many clients do
	// not come back in step. Default 100 ms doubling up to 2 s.
	Backoff func(n int) time.Duration
	// UserAgent names the program in the node's logs. Default "clawd-go".
	UserAgent string
}

// Defaults of Options.
const (
	DefaultTimeout    = 10 * time.Second
	DefaultMaxRetries = 3
)

func (o Options) withDefaults() Options {
	if o.HTTPClient == nil {
		o.HTTPClient = newHTTPClient()
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	switch {
	case o.MaxRetries == 0:
		o.MaxRetries = DefaultMaxRetries
	case o.MaxRetries < 0:
		o.MaxRetries = 0
	}
	if o.Backoff == nil {
		o.Backoff = defaultBackoff
	}
	if o.UserAgent == "" {
		o.UserAgent = "clawd-go"
	}
	return o
}

// Client asks one clawd node (or a load balancer before several). Its fields
// group the calls the way the REST surface does.
type Client struct {
	Agents   *Agents
	Policies *Policies
	Pools    *Pools
	Prices   *Prices
	Usage    *Usage
	KV       *KV
	Cluster  *Cluster
	Health   *Health
	Keys     *Keys
	Tenants  *Tenants

	t *transport
}

// New returns a client of the node at baseURL, such as
// "http://127.0.0.1:8080"; a bare host:port means http. It makes no connection.
func New(baseURL string, o Options) (*Client, error) {
	base, err := parseBase(baseURL)
	if err != nil {
		return nil, err
	}
	t := &transport{base: base, opts: o.withDefaults()}
	return &Client{
		Agents:   &Agents{t},
		Policies: &Policies{t},
		Pools:    &Pools{t},
		Prices:   &Prices{t},
		Usage:    &Usage{t},
		KV:       &KV{t},
		Cluster:  &Cluster{t},
		Health:   &Health{t},
		Keys:     &Keys{t},
		Tenants:  &Tenants{t},
		t:        t,
	}, nil
}

func parseBase(raw string) (string, error) {
	full := raw
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return "", fmt.Errorf("%q is not the address of a node: expected something like http://127.0.0.1:8080", raw)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is not the address of a node: the scheme is http or https", raw)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is not the address of a node: it has a query or a fragment", raw)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// BaseURL returns the address the client asks, without a trailing slash.
func (c *Client) BaseURL() string { return c.t.base }

func newHTTPClient() *http.Client {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConns = 64
	tr.MaxIdleConnsPerHost = 64
	return &http.Client{Transport: tr}
}
