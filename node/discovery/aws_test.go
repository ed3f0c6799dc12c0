package discovery

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The example that AWS's documentation computes in full.
func TestSignIsAsDocumented(t *testing.T) {
	req := httptest.NewRequest(http.MethodGet, "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", nil)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	keys := accessKeys{id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"} //nolint:gosec // AWS's example
	sign(req, nil, keys, "us-east-1", "iam", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	const want = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, " +
		"SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
	if got := req.Header.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// cloud is an instance's metadata and EC2 in one server.
type cloud struct {
	t      *testing.T
	server *httptest.Server
	env    map[string]string
	now    time.Time

	mu        sync.Mutex
	calls     []url.Values
	keysGiven int
	lifetime  time.Duration
	metadata  int // status of the metadata, 0 = answer
	answer    func(query url.Values, key string) (int, string)
}

func newCloud(t *testing.T, answer func(query url.Values, key string) (int, string)) *cloud {
	c := &cloud{t: t, answer: answer, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), lifetime: time.Hour}
	c.server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.server.Close)
	c.env = map[string]string{"AWS_ENDPOINT_URL_EC2": c.server.URL, "AWS_EC2_METADATA_SERVICE_ENDPOINT": c.server.URL + "/"}
	return c
}

func (c *cloud) source(item string) Source {
	c.t.Helper()
	return one(c.t, Environment{
		HTTP: c.server.Client(), Getenv: func(name string) string { return c.env[name] },
		Now: func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now },
	}, item)
}

func (c *cloud) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/latest/") {
		c.serveMetadata(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	query, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/" {
		http.Error(w, "no such call", http.StatusBadRequest)
		return
	}
	c.calls = append(c.calls, query)
	_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, scope, _ := strings.Cut(key, "/")
	if !strings.HasPrefix(scope, "20261122/eu-central-1/ec2/aws4_request, ") {
		c.t.Errorf("signed for %q", scope)
	}
	status, text := c.answer(query, key)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (c *cloud) serveMetadata(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/latest/")
	switch {
	case c.metadata != 0:
		w.WriteHeader(c.metadata)
	case r.Method == http.MethodPut && path == "api/token" && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "":
		_, _ = io.WriteString(w, "session")
	case r.Header.Get("X-aws-ec2-metadata-token") != "session":
		w.WriteHeader(http.StatusUnauthorized)
	case path == "meta-data/placement/region":
		_, _ = io.WriteString(w, "eu-central-1")
	case path == "meta-data/iam/security-credentials/":
		_, _ = io.WriteString(w, "node\n")
	case path == "meta-data/iam/security-credentials/node":
		c.keysGiven++
		_, _ = fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"ROLE%d","SecretAccessKey":"s","Token":"t","Expiration":%q}`,
			c.keysGiven, c.now.Add(c.lifetime).Format(time.RFC3339))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func instances(next string, ips ...string) string {
	var b strings.Builder
	b.WriteString(`<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet>`)
	for _, ip := range ips {
		b.WriteString("<item><instancesSet><item><instanceId>i</instanceId><privateIpAddress>" + ip +
			"</privateIpAddress><networkInterfaceSet><item><privateIpAddress>9.9.9.9</privateIpAddress></item></networkInterfaceSet></item></instancesSet></item>")
	}
	return b.String() + "</reservationSet><nextToken>" + next + "</nextToken></DescribeInstancesResponse>"
}

func fault(code string) string {
	return "<Response><Errors><Error><Code>" + code + "</Code><Message>in words</Message></Error></Errors></Response>"
}

const prod = "aws:tag=clawd-cluster:prod"

func TestAWSFindsInstancesPageByPage(t *testing.T) {
	c := newCloud(t, func(q url.Values, key string) (int, string) {
		if key != "ROLE1" {
			t.Errorf("signed by %q", key)
		}
		if q.Get("NextToken") == "" {
			return 200, instances("more", "10.0.0.2", "10.0.0.1", "", "not an address")
		}
		return 200, instances("", "10.0.1.1", "10.0.0.1")
	})
	s := c.source(prod + ",tag=clawd-role:node,port=99")
	for range 2 { // the second time with the same credentials
		got, want := addresses(t, s), []string{"10.0.0.1:99", "10.0.0.2:99", "10.0.1.1:99"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	q := c.calls[0]
	for name, want := range map[string]string{
		"Action": "DescribeInstances", "Filter.1.Name": "instance-state-name",
		"Filter.2.Name": "tag:clawd-cluster", "Filter.2.Value.1": "prod",
		"Filter.3.Name": "tag:clawd-role", "Filter.3.Value.1": "node",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if c.keysGiven != 1 {
		t.Errorf("credentials were fetched %d times", c.keysGiven)
	}
}

func TestAWSKnowsNobodyYet(t *testing.T) {
	c := newCloud(t, func(url.Values, string) (int, string) { return 200, instances("") })
	if got := addresses(t, c.source(prod)); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestAWSThrottles(t *testing.T) {
	calls := 0
	c := newCloud(t, func(url.Values, string) (int, string) {
		if calls++; calls == 1 {
			return http.StatusServiceUnavailable, fault("RequestLimitExceeded")
		}
		return 200, instances("", "10.0.0.1")
	})
	s := c.source(prod)
	_, err := s.Addresses(t.Context())
	if err == nil || !strings.Contains(err.Error(), "RequestLimitExceeded") || errors.Is(err, errRefusedKeys) {
		t.Errorf("got %v, want AWS's own word", err)
	}
	if calls != 1 {
		t.Errorf("EC2 was asked %d times: who asked us has the back-off", calls)
	}
	if got := addresses(t, s); len(got) != 1 {
		t.Errorf("then got %q", got)
	}
}

func TestAWSCredentialsThatWereRefusedAreFetchedAnewOnce(t *testing.T) {
	for _, code := range []string{"RequestExpired", "ExpiredToken", "AuthFailure"} {
		c := newCloud(t, func(_ url.Values, key string) (int, string) {
			if key == "ROLE1" {
				return http.StatusForbidden, fault(code)
			}
			return 200, instances("", "10.0.0.1")
		})
		if got := addresses(t, c.source(prod)); len(got) != 1 {
			t.Errorf("%s: got %q", code, got)
		}
		if c.keysGiven != 2 {
			t.Errorf("%s: credentials were fetched %d times", code, c.keysGiven)
		}
	}
	c := newCloud(t, func(url.Values, string) (int, string) { return http.StatusForbidden, fault("AuthFailure") })
	if _, err := c.source(prod).Addresses(t.Context()); !errors.Is(err, errRefusedKeys) || len(c.calls) != 2 {
		t.Errorf("got %v after %d calls", err, len(c.calls))
	}
	c.env["AWS_ACCESS_KEY_ID"], c.env["AWS_SECRET_ACCESS_KEY"] = "FIXED", "s"
	if _, err := c.source(prod).Addresses(t.Context()); !errors.Is(err, errRefusedKeys) || len(c.calls) != 3 {
		t.Errorf("fixed ones were tried again: %v after %d calls", err, len(c.calls))
	}
}

func TestAWSCredentialsAreRenewedBeforeTheyEnd(t *testing.T) {
	c := newCloud(t, func(url.Values, string) (int, string) { return 200, instances("") })
	s := c.source(prod)
	for _, step := range []struct {
		after time.Duration
		given int
	}{{0, 1}, {54 * time.Minute, 1}, {2 * time.Minute, 2}} {
		c.mu.Lock()
		c.now = c.now.Add(step.after)
		c.mu.Unlock()
		addresses(t, s)
		if c.keysGiven != step.given {
			t.Errorf("after %v more: fetched %d times, want %d", step.after, c.keysGiven, step.given)
		}
	}
}

func TestAWSTakesTheEnvironment(t *testing.T) {
	c := newCloud(t, func(_ url.Values, key string) (int, string) {
		if key != "FIXED" {
			t.Errorf("signed by %q", key)
		}
		return 200, instances("", "10.0.0.1")
	})
	c.metadata = http.StatusInternalServerError
	c.env["AWS_ACCESS_KEY_ID"], c.env["AWS_SECRET_ACCESS_KEY"], c.env["AWS_REGION"] = "FIXED", "s", "eu-central-1"
	if got := addresses(t, c.source(prod)); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	if got := addresses(t, c.source(prod+",region=eu-central-1")); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestAWSOffEC2SaysSo(t *testing.T) {
	c := newCloud(t, nil)
	c.metadata = http.StatusNotFound
	for item, want := range map[string]string{prod: "region: instance metadata", prod + ",region=eu-central-1": "no role of the instance"} {
		if _, err := c.source(item).Addresses(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", item, err, want)
		}
	}
}

func TestAWSAnswersThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		status int
		text   string
		want   string
	}{
		{200, "<html>", "an answer that is none"},
		{200, "", "an answer that is none"},
		{502, "bad gateway", "502"},
	} {
		cloud := newCloud(t, func(url.Values, string) (int, string) { return c.status, c.text })
		if _, err := cloud.source(prod).Addresses(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
	}
	cloud := newCloud(t, func(url.Values, string) (int, string) { return 200, instances("same", "10.0.0.1") })
	if got := addresses(t, cloud.source(prod)); len(got) != 1 || len(cloud.calls) != 2 {
		t.Errorf("a page that names itself as the next: %q after %d calls", got, len(cloud.calls))
	}
}

func TestEndpointOfARegion(t *testing.T) {
	for region, want := range map[string]string{
		"eu-central-1": "https://ec2.eu-central-1.amazonaws.com",
		"cn-north-1":   "https://ec2.cn-north-1.amazonaws.com.cn",
	} {
		if got := ec2URL(region); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
