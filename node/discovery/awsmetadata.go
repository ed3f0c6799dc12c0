package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	metadataURL     = "http://169.254.169.254"
	metadataTimeout = 5 * time.Second // it is on the same host
	tokenSeconds    = "300"
	maxMetadata     = 64 << 10
	// keysMargin is how long before their end credentials are not used any more.
	keysMargin = 5 * time.Minute
)

// metadata is what an instance may ask about itself, with a session token
// (IMDSv2), since instances that follow good advice answer to nothing else.
type metadata struct {
	http *http.Client
	now  func() time.Time
	base string
}

func (m *metadata) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	token, err := m.do(ctx, http.MethodPut, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", tokenSeconds)
	if err != nil {
		return nil, err
	}
	return m.do(ctx, http.MethodGet, path, "X-aws-ec2-metadata-token", string(token))
}

func (m *metadata) do(ctx context.Context, method, path, header, value string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(m.base, "/")+path, nil)
	if err != nil {
		return nil, fmt.Errorf("instance metadata: %w", err)
	}
	req.Header.Set(header, value)
	resp, err := m.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("instance metadata: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("instance metadata: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("instance metadata: %s of %s", resp.Status, path)
	}
	return body, nil
}

// accessKeys is what requests are signed with.
type accessKeys struct {
	id, secret, token string
}

// credentials are those of the environment, else of the instance's role. The
// role's are kept until shortly before they end.
type credentials struct {
	metadata *metadata
	getenv   func(string) string
	now      func() time.Time

	mu    sync.Mutex
	kept  accessKeys
	until time.Time
}

func (c *credentials) get(ctx context.Context) (accessKeys, error) {
	if k, ok := c.fromEnvironment(); ok {
		return k, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Before(c.until) {
		return c.kept, nil
	}
	keys, until, err := c.fromRole(ctx)
	if err != nil {
		return accessKeys{}, err
	}
	c.kept, c.until = keys, until.Add(-keysMargin)
	return keys, nil
}

// forget drops kept credentials; false means that there are no others to get.
func (c *credentials) forget() bool {
	if _, fixed := c.fromEnvironment(); fixed {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Time{}
	return true
}

func (c *credentials) fromEnvironment() (accessKeys, bool) {
	k := accessKeys{c.getenv("AWS_ACCESS_KEY_ID"), c.getenv("AWS_SECRET_ACCESS_KEY"), c.getenv("AWS_SESSION_TOKEN")}
	return k, k.id != "" && k.secret != ""
}

const rolePath = "/latest/meta-data/iam/security-credentials/"

func (c *credentials) fromRole(ctx context.Context) (accessKeys, time.Time, error) {
	list, err := c.metadata.get(ctx, rolePath)
	if err != nil {
		return accessKeys{}, time.Time{}, fmt.Errorf("credentials: no AWS_ACCESS_KEY_ID, and no role of the instance: %w", err)
	}
	role, _, _ := strings.Cut(strings.TrimSpace(string(list)), "\n")
	if role == "" || strings.ContainsAny(role, "/?#% ") {
		return accessKeys{}, time.Time{}, fmt.Errorf("credentials: the instance's metadata calls its role %q", role)
	}
	text, err := c.metadata.get(ctx, rolePath+role)
	if err != nil {
		return accessKeys{}, time.Time{}, fmt.Errorf("credentials: %w", err)
	}
	var answer struct {
		Code, AccessKeyId, SecretAccessKey, Token string
		Expiration                                time.Time
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return accessKeys{}, time.Time{}, fmt.Errorf("credentials of role %s: %w", role, err)
	}
	if answer.AccessKeyId == "" || answer.SecretAccessKey == "" {
		return accessKeys{}, time.Time{}, fmt.Errorf("credentials of role %s: none in the answer (code %q)", role, answer.Code)
	}
	return accessKeys{answer.AccessKeyId, answer.SecretAccessKey, answer.Token}, answer.Expiration, nil
}
