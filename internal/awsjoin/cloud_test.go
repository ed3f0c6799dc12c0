//go:build aws

package awsjoin

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

const region = "eu-central-1"

// cloud is moto, and in front of it what moto does not do.
type cloud struct {
	moto   string
	subnet string
	front  *front
}

func startCloud(t *testing.T) *cloud {
	t.Helper()
	server := os.Getenv("MOTO_SERVER")
	if server == "" {
		t.Fatal("MOTO_SERVER does not name moto_server: run make aws-test")
	}
	addr, err := proc.FreeAddr()
	must(t, err)
	host, port, _ := strings.Cut(addr, ":")
	log := filepath.Join(t.TempDir(), "moto.log")
	p, err := proc.Start(proc.Command{Argv: []string{server, "-H", host, "-p", port}, Log: log})
	must(t, err)
	t.Cleanup(func() { must(t, p.Kill()) })
	c := &cloud{moto: "http://" + addr}
	for ctx := within(t); ; {
		resp, err := http.Get(c.moto + "/moto-api/")
		if err == nil {
			_ = resp.Body.Close()
			break
		}
		select {
		case <-p.Exited():
			t.Fatalf("moto ended: %s", p.Log())
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	c.unsigned(t, true)
	vpc := c.call(t, "ec2", url.Values{"Action": {"CreateVpc"}, "CidrBlock": {"127.0.0.0/16"}})
	c.subnet = c.call(t, "ec2", url.Values{"Action": {"CreateSubnet"}, "VpcId": {vpc.Vpc}, "CidrBlock": {"127.0.77.0/24"}}).Subnet
	c.call(t, "iam", url.Values{"Action": {"CreateUser"}, "UserName": {"node"}})
	c.call(t, "iam", url.Values{
		"Action": {"PutUserPolicy"}, "UserName": {"node"}, "PolicyName": {"find"},
		"PolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:DescribeInstances","Resource":"*"}]}`},
	})
	keys := c.call(t, "iam", url.Values{"Action": {"CreateAccessKey"}, "UserName": {"node"}})
	c.unsigned(t, false)
	c.front = newFront(t, c.moto, keys.ID, keys.Secret)
	return c
}

// runInstance makes an instance with an address of loopback.
func (c *cloud) runInstance(t *testing.T, ip, cluster string) {
	t.Helper()
	c.unsigned(t, true)
	defer c.unsigned(t, false)
	c.call(t, "ec2", url.Values{
		"Action": {"RunInstances"}, "ImageId": {"ami-12c6146b"}, "MinCount": {"1"}, "MaxCount": {"1"},
		"SubnetId": {c.subnet}, "PrivateIpAddress": {ip},
		"TagSpecification.1.ResourceType": {"instance"},
		"TagSpecification.1.Tag.1.Key":    {"clawd-cluster"}, "TagSpecification.1.Tag.1.Value": {cluster},
	})
}

// unsigned switches moto's checks of signatures and permissions off and on.
func (c *cloud) unsigned(t *testing.T, allowed bool) {
	t.Helper()
	count := "0"
	if allowed {
		count = "1000000"
	}
	resp, err := http.Post(c.moto+"/moto-api/reset-auth", "text/plain", strings.NewReader(count))
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("moto: %s", resp.Status)
	}
}

// made is what is read of the answers to calls that make something.
type made struct {
	Vpc    string `xml:"vpc>vpcId"`
	Subnet string `xml:"subnet>subnetId"`
	ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
	Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
}

func (c *cloud) call(t *testing.T, service string, query url.Values) made {
	t.Helper()
	resp, text := c.post(t, service, "AKIANOBODY", query)
	var m made
	if err := xml.Unmarshal(text, &m); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("moto: %s: %s: %v: %.400s", query.Get("Action"), resp.Status, err, text)
	}
	return m
}

// callWithWrongKey asks as a node does, with a signature that is none.
func (c *cloud) callWithWrongKey(t *testing.T) int {
	t.Helper()
	resp, _ := c.post(t, "ec2", c.front.id, url.Values{"Action": {"DescribeInstances"}, "Version": {"2016-11-15"}})
	return resp.StatusCode
}

func (c *cloud) post(t *testing.T, service, id string, query url.Values) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, c.moto+"/", strings.NewReader(query.Encode()))
	must(t, err)
	now := time.Now().UTC()
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	req.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=host;x-amz-date, Signature=%s",
		id, now.Format("20060102"), region, service, strings.Repeat("0", 64)))
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	must(t, resp.Body.Close())
	return resp, text
}

// front is the instances' metadata, and EC2 with bad days.
type front struct {
	url                 string
	id, secret          string
	expired, throttled  atomic.Int64 // how many calls to refuse
	answered, keysAsked atomic.Int64
	ec2                 http.Handler
}

func newFront(t *testing.T, moto, id, secret string) *front {
	t.Helper()
	target, err := url.Parse(moto)
	must(t, err)
	// The host is part of what is signed, so it stays the front's.
	f := &front{id: id, secret: secret, ec2: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
	}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path, ok := strings.CutPrefix(r.URL.Path, "/latest/"); ok {
		f.metadata(w, r, path)
		return
	}
	for counter, refusal := range map[*atomic.Int64]struct {
		status int
		code   string
	}{
		&f.expired:   {http.StatusBadRequest, "RequestExpired"},
		&f.throttled: {http.StatusServiceUnavailable, "RequestLimitExceeded"},
	} {
		if counter.Add(-1) >= 0 {
			w.WriteHeader(refusal.status)
			_, _ = fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code></Error></Errors></Response>", refusal.code)
			return
		}
		counter.Store(0)
	}
	f.answered.Add(1)
	f.ec2.ServeHTTP(w, r)
}

func (f *front) metadata(w http.ResponseWriter, r *http.Request, path string) {
	switch {
	case r.Method == http.MethodPut && path == "api/token":
		_, _ = io.WriteString(w, "session")
	case r.Header.Get("X-aws-ec2-metadata-token") != "session":
		w.WriteHeader(http.StatusUnauthorized)
	case path == "meta-data/placement/region":
		_, _ = io.WriteString(w, region)
	case path == "meta-data/iam/security-credentials/":
		_, _ = io.WriteString(w, "node")
	case path == "meta-data/iam/security-credentials/node":
		f.keysAsked.Add(1)
		_, _ = fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":%q,"Token":"","Expiration":%q}`,
			f.id, f.secret, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
