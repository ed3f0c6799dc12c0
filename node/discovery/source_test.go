package discovery

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		list []string
		want []string // the sources' own words
		err  string
	}{
		{list: nil},
		{list: []string{"10.0.0.7"}, want: []string{"10.0.0.7:7946"}},
		{list: []string{"a:1", " b "}, want: []string{"a:1", "b:7946"}},
		{list: []string{"::1", "[::1]:99"}, want: []string{"[::1]:7946", "[::1]:99"}},
		{list: []string{"dns:peers.internal:99", "dns:_g._tcp.x"}, want: []string{"dns:peers.internal:99", "dns:_g._tcp.x"}},
		{list: []string{"file:/etc/peers"}, want: []string{"file:/etc/peers"}},
		{list: []string{"aws:tag=clawd-cluster:prod"}, want: []string{"aws:tag=clawd-cluster:prod"}},
		// As a list that was split at commas has it.
		{
			list: []string{"aws:tag=a:b", "region=eu-central-1", "tag=aws:x:y", "port=99", "c:1"},
			want: []string{"aws:tag=a:b,region=eu-central-1,tag=aws:x:y,port=99", "c:1"},
		},
		{list: []string{""}, err: "join address is empty"},
		{list: []string{":1"}, err: `join address ":1"`},
		{list: []string{"a:0"}, err: "the port is not a number"},
		{list: []string{"a:port"}, err: "the port is not a number"},
		{list: []string{"region=eu-central-1"}, err: `join address "region=eu-central-1"`},
		{list: []string{"dns:"}, err: "join dns"},
		{list: []string{"dns:_g.x"}, err: "want dns:_service._tcp.name"},
		{list: []string{"file:"}, err: "want file:path"},
		{list: []string{"aws:"}, err: `unknown argument ""`},
		{list: []string{"aws:region=eu-central-1"}, err: "want aws:tag=KEY:VALUE"},
		{list: []string{"aws:tag=prod"}, err: "want KEY:VALUE"},
		{list: []string{"aws:tag=a:b,region=http://evil"}, err: "want a name such as"},
		{list: []string{"aws:tag=a:b,zone=x"}, err: `unknown argument "zone"`},
	} {
		got, err := Parse(c.list, Environment{})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: got error %v, want %q", c.list, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.list, err)
			continue
		}
		var words []string
		for _, s := range got {
			words = append(words, s.String())
		}
		if !slices.Equal(words, c.want) {
			t.Errorf("%q: got %q, want %q", c.list, words, c.want)
		}
	}
}

func TestParseCollectsComplaints(t *testing.T) {
	_, err := Parse([]string{"a:0", "", "aws:"}, Environment{})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v", err)
	}
}

type fakeResolver struct {
	ips []string
	srv []*net.SRV
	err error
}

func (f fakeResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	var list []netip.Addr
	for _, ip := range f.ips {
		list = append(list, netip.MustParseAddr(ip))
	}
	return list, f.err
}

func (f fakeResolver) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", f.srv, f.err
}

func one(t *testing.T, env Environment, item string) Source {
	t.Helper()
	list, err := Parse([]string{item}, env)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

func addresses(t *testing.T, s Source) []string {
	t.Helper()
	list, err := s.Addresses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestDNS(t *testing.T) {
	s := one(t, Environment{Resolver: fakeResolver{ips: []string{"10.0.0.1", "::ffff:10.0.0.2", "fd00::1"}}}, "dns:peers:99")
	if got, want := addresses(t, s), []string{"10.0.0.1:99", "10.0.0.2:99", "[fd00::1]:99"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	s = one(t, Environment{Resolver: fakeResolver{srv: []*net.SRV{{Target: "a.peers.", Port: 7}}}}, "dns:_g._tcp.peers")
	if got, want := addresses(t, s), []string{"a.peers:7"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if s.Every() <= 0 {
		t.Error("names are asked for again")
	}
}

func TestDNSKnowsNobodyYet(t *testing.T) {
	s := one(t, Environment{Resolver: fakeResolver{err: &net.DNSError{IsNotFound: true}}}, "dns:peers")
	if got := addresses(t, s); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	s = one(t, Environment{Resolver: fakeResolver{err: &net.DNSError{IsTimeout: true}}}, "dns:peers")
	if _, err := s.Addresses(t.Context()); err == nil {
		t.Error("a name server that does not answer is not an empty name")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	s := one(t, Environment{Resolver: fakeResolver{ips: slices.Repeat([]string{"10.0.0.1"}, 10*maxAddresses)}}, "dns:peers")
	if got := addresses(t, s); len(got) != maxAddresses {
		t.Errorf("got %d addresses", len(got))
	}
	lines := strings.Repeat("10.0.0.1\n", 10*maxAddresses)
	if got, _ := parseLines("peers", []byte(lines)); len(got) != maxAddresses {
		t.Errorf("got %d addresses", len(got))
	}
}

func TestFileIsReadAgainWhenItChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	s := one(t, Environment{}, "file:"+path)
	if got := addresses(t, s); len(got) != 0 {
		t.Fatalf("of a file that is not there: %q", got)
	}
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	write("# ours\n10.0.0.1\n\n b:99 # second\n", time.Hour)
	if got, want := addresses(t, s), []string{"10.0.0.1:7946", "b:99"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	write("10.0.0.2\nnot an address\n", time.Minute)
	list, err := s.Addresses(t.Context())
	if want := []string{"10.0.0.2:7946"}; !slices.Equal(list, want) {
		t.Errorf("got %q, want %q", list, want)
	}
	if err == nil || !strings.Contains(err.Error(), path+":2") {
		t.Errorf("got error %v, want the line", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := addresses(t, s); len(got) != 0 {
		t.Errorf("of a file that went: %q", got)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Addresses(t.Context()); err == nil {
		t.Error("a directory is no list")
	}
}

func FuzzParse(f *testing.F) {
	for _, item := range []string{"a:1", "dns:x", "dns:_a._b.c", "file:x", "aws:tag=a:b,region=eu-central-1", "[::1]:1", "=,=", "aws:tag=:"} {
		f.Add(item)
	}
	f.Fuzz(func(t *testing.T, item string) {
		list, err := Parse(strings.Split(item, ","), Environment{})
		if (err == nil) != (len(list) > 0) && err == nil {
			t.Errorf("%q: neither sources nor an error", item)
		}
		for _, s := range list {
			a, isStatic := s.(static)
			if !isStatic {
				continue
			}
			if _, _, err := net.SplitHostPort(a.address); err != nil {
				t.Errorf("%q became %q: %v", item, a.address, err)
			}
		}
	})
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("10.0.0.1\n# x\nb:1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, _ := parseLines("peers", text)
		for _, a := range list {
			if _, _, err := net.SplitHostPort(a); err != nil {
				t.Errorf("%q: %v", a, err)
			}
		}
	})
}
