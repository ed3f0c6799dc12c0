package discovery

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	ec2Version   = "2016-11-15"
	ec2Timeout   = 10 * time.Second
	ec2Page      = 100
	maxEC2Answer = 8 << 20
)

// errRefusedKeys is EC2's word that credentials are over or unknown.
var errRefusedKeys = errors.New("the credentials were refused")

// ec2 asks one question of EC2's query interface.
type ec2 struct {
	http     *http.Client
	now      func() time.Time
	endpoint string
	region   string
	keys     accessKeys
}

// privateAddresses are those of the instances that carry all the tags, and
// that are or will be running.
func (c ec2) privateAddresses(ctx context.Context, tags []tag) ([]string, error) {
	query := url.Values{
		"Action": {"DescribeInstances"}, "Version": {ec2Version}, "MaxResults": {strconv.Itoa(ec2Page)},
		"Filter.1.Name": {"instance-state-name"}, "Filter.1.Value.1": {"pending"}, "Filter.1.Value.2": {"running"},
	}
	for i, t := range tags {
		filter := "Filter." + strconv.Itoa(i+2)
		query.Set(filter+".Name", "tag:"+t.key)
		query.Set(filter+".Value.1", t.value)
	}
	var list []string
	for len(list) < maxAddresses {
		page, err := c.ask(ctx, query)
		if err != nil {
			return nil, err
		}
		list = append(list, page.addresses()...)
		if page.NextToken == "" || page.NextToken == query.Get("NextToken") {
			break
		}
		query.Set("NextToken", page.NextToken)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), maxAddresses)], nil
}

// instancesPage is what is read of a DescribeInstancesResponse.
type instancesPage struct {
	Addresses []string `xml:"reservationSet>item>instancesSet>item>privateIpAddress"`
	NextToken string   `xml:"nextToken"`
}

func (p instancesPage) addresses() []string {
	return slices.DeleteFunc(p.Addresses, func(text string) bool {
		_, err := netip.ParseAddr(text)
		return err != nil
	})
}

func (c ec2) ask(ctx context.Context, query url.Values) (instancesPage, error) {
	ctx, cancel := context.WithTimeout(ctx, ec2Timeout)
	defer cancel()
	body := []byte(query.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return instancesPage{}, fmt.Errorf("EC2: %w", err)
	}
	req.URL.Path = "/"
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	sign(req, body, c.keys, c.region, "ec2", c.now())
	resp, err := c.http.Do(req)
	if err != nil {
		return instancesPage{}, fmt.Errorf("EC2: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxEC2Answer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return instancesPage{}, fmt.Errorf("EC2: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return instancesPage{}, refusal(resp.Status, text)
	}
	var page instancesPage
	if err := xml.Unmarshal(text, &page); err != nil {
		return instancesPage{}, fmt.Errorf("EC2: an answer that is none: %w", err)
	}
	return page, nil
}

// refusal turns an error answer into an error with AWS's own words.
func refusal(status string, text []byte) error {
	var answer struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
	}
	_ = xml.Unmarshal(text, &answer) // without words the status says it
	switch answer.Code {
	case "RequestExpired", "ExpiredToken", "ExpiredTokenException", "AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException":
		return fmt.Errorf("EC2: %w: %s: %.200s", errRefusedKeys, answer.Code, answer.Message)
	case "":
		return fmt.Errorf("EC2: %s", status)
	}
	return fmt.Errorf("EC2: %s: %.200s", answer.Code, answer.Message)
}
