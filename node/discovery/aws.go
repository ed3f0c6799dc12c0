package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// awsEvery is how often EC2 is asked when peers are known. It costs one call a
// node, and is what brings two halves together that started apart.
const awsEvery = time.Minute

// aws is the instances of a region that carry all of some tags.
type aws struct {
	item     string
	tags     []tag
	region   string // empty: from the environment, else the instance's own
	port     int
	env      Environment
	metadata *metadata
	keys     *credentials
}

type tag struct{ key, value string }

var regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)

// newAWS reads aws:tag=KEY:VALUE[,tag=…][,region=…][,port=…]. The value is what
// follows the last colon, since keys of AWS's own have colons, too.
func newAWS(item string, env Environment) (Source, error) {
	a := &aws{item: item, port: DefaultPort, env: env}
	for _, argument := range strings.Split(strings.TrimPrefix(item, kindAWS), ",") {
		if err := a.set(argument); err != nil {
			return nil, fmt.Errorf("join %q: %w", item, err)
		}
	}
	if len(a.tags) == 0 {
		return nil, fmt.Errorf("join %q: want aws:tag=KEY:VALUE", item)
	}
	a.metadata = &metadata{http: env.HTTP, now: env.Now, base: cmp.Or(env.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), metadataURL)}
	a.keys = &credentials{metadata: a.metadata, getenv: env.Getenv, now: env.Now}
	return a, nil
}

func (a *aws) set(argument string) error {
	key, value, _ := strings.Cut(argument, "=")
	switch key {
	case "tag":
		at := strings.LastIndexByte(value, ':')
		if at <= 0 || at == len(value)-1 || len(value) > 128+1+256 {
			return fmt.Errorf("tag %q: want KEY:VALUE", value)
		}
		a.tags = append(a.tags, tag{value[:at], value[at+1:]})
	case "region":
		if !regionName.MatchString(value) {
			return fmt.Errorf("region %q: want a name such as eu-central-1", value)
		}
		a.region = value
	case "port":
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("port %q: want a number between 1 and 65535", value)
		}
		a.port = int(port)
	default:
		return fmt.Errorf("unknown argument %q: want tag, region or port", key)
	}
	return nil
}

func (a *aws) Every() time.Duration { return awsEvery }
func (a *aws) String() string       { return a.item }

// Addresses asks EC2. Credentials that were refused are fetched anew, once.
func (a *aws) Addresses(ctx context.Context) ([]string, error) {
	region, err := a.findRegion(ctx)
	if err != nil {
		return nil, err
	}
	list, err := a.describe(ctx, region)
	if errors.Is(err, errRefusedKeys) && a.keys.forget() {
		list, err = a.describe(ctx, region)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.item, err)
	}
	for i, ip := range list {
		list[i] = net.JoinHostPort(ip, strconv.Itoa(a.port))
	}
	return list, nil
}

func (a *aws) findRegion(ctx context.Context) (string, error) {
	if a.region == "" {
		a.region = cmp.Or(a.env.Getenv("AWS_REGION"), a.env.Getenv("AWS_DEFAULT_REGION"))
	}
	if a.region == "" {
		region, err := a.metadata.get(ctx, "/latest/meta-data/placement/region")
		if err != nil {
			return "", fmt.Errorf("%s: region: %w", a.item, err)
		}
		if !regionName.MatchString(string(region)) {
			return "", fmt.Errorf("%s: the instance's metadata calls its region %q", a.item, region)
		}
		a.region = string(region)
	}
	return a.region, nil
}

func (a *aws) describe(ctx context.Context, region string) ([]string, error) {
	keys, err := a.keys.get(ctx)
	if err != nil {
		return nil, err
	}
	c := ec2{
		http: a.env.HTTP, now: a.env.Now, region: region, keys: keys,
		endpoint: cmp.Or(a.env.Getenv("AWS_ENDPOINT_URL_EC2"), a.env.Getenv("AWS_ENDPOINT_URL"), ec2URL(region)),
	}
	return c.privateAddresses(ctx, a.tags)
}

func ec2URL(region string) string {
	suffix := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		suffix += ".cn"
	}
	return "https://ec2." + region + "." + suffix
}
