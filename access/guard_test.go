package access

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// dice is a source of bytes that repeats.
func dice() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

func mint(t testing.TB, random *rand.ChaCha8) Secret {
	t.Helper()
	s, err := NewSecret(random)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(s Secret, role Role, tenant string) KeyRecord {
	return KeyRecord{Role: role, Tenant: tenant, Hash: HashText(s.Hash()), Created: 1}
}

func loaded(o Options) *Guard {
	g := NewGuard(o)
	g.Load(func() {})
	return g
}

func learn(t testing.TB, g *Guard, name string, value []byte) {
	t.Helper()
	if err := g.Learn(name, value, false); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutKeysOnlyThisMachineIsServed(t *testing.T) {
	g := NewGuard(Options{})
	if _, v := g.Identify(nil, false, 0); v != Loading {
		t.Errorf("before anything is known: %d", v)
	}
	if c, v := g.Identify(nil, true, 0); v != Admitted || !c.Waits() || !c.May(View) || c.May(Consume) || c.May(Issue) {
		t.Errorf("before anything is known, here: %d %+v", v, c)
	}
	g = loaded(Options{})
	c, v := g.Identify([]byte("whatever"), true, 0)
	if v != Admitted || c.Role != Admin || c.Tenant.Name() != DefaultTenant || c.Key != "" {
		t.Errorf("local: %d %+v", v, c)
	}
	if _, v := g.Identify(nil, false, 0); v != Closed {
		t.Errorf("remote: %d", v)
	}
	c, v = loaded(Options{OpenToAll: true}).Identify(nil, false, 0)
	if v != Admitted || !c.May(Operate) || c.May(Issue) || c.May(Govern) {
		t.Errorf("remote, open to all: %d %+v", v, c)
	}
}

func TestOnceAKeyExistsEverybodyNeedsOne(t *testing.T) {
	random := dice()
	g := loaded(Options{OpenToAll: true})
	s, other := mint(t, random), mint(t, random)
	learn(t, g, s.ID(), record(s, Consumer, "acme").Encode())
	for why, token := range map[string]string{
		"none": "", "another": other.Reveal(), "the prefix": s.Prefix(), "the id of one, the secret of another": s.Reveal()[:21] + other.Reveal()[21:],
		"one character off": s.Reveal()[:63] + "!", "too long": s.Reveal() + "x", "upper case": strings.ToUpper(s.Reveal()),
	} {
		for range 2 { // the second meets the cache
			if _, v := g.Identify([]byte(token), true, 0); v != Unknown {
				t.Errorf("%s: %d", why, v)
			}
		}
	}
	for range 2 {
		c, v := g.Identify([]byte(s.Reveal()), false, 0)
		if v != Admitted || c.Key != s.ID() || c.Tenant.Name() != "acme" || !c.May(Consume) || c.May(Manage) {
			t.Errorf("the key: %d %+v", v, c)
		}
	}
}

// Whatever the order in which the records of a key arrive, it is as dead as the first that ended it said.
func TestEndingsInAnyOrder(t *testing.T) {
	random := dice()
	s := mint(t, random)
	r := record(s, Admin, "default")
	r.Expires = 5000
	writes := []struct {
		name  string
		value []byte
	}{
		{s.ID(), r.Encode()},
		{s.ID() + ReplacedSuffix, Ending{At: 1000}.Encode()},
		{s.ID() + RevokedSuffix, Ending{At: 1 << 40}.Encode()},
	}
	for _, order := range [][]int{{0}, {0, 1}, {1, 0}, {0, 1, 2}, {2, 0, 1}, {1, 2, 0}, {2, 0}} {
		g := loaded(Options{})
		revoked, until := false, int64(5000)
		for _, i := range order {
			learn(t, g, writes[i].name, writes[i].value)
			revoked = revoked || i == 2
			if i == 1 {
				until = 1000
			}
		}
		for _, now := range []int64{0, 999, 1000, 4999, 5000} {
			_, v := g.Identify([]byte(s.Reveal()), true, now)
			if want := !revoked && now < until; (v == Admitted) != want {
				t.Errorf("%v at %d: verdict %d", order, now, v)
			}
			if k, ok := g.Key(s.ID()); !ok || k.Live(now) != (v == Admitted) {
				t.Errorf("%v at %d: the listing says %+v", order, now, k)
			}
		}
	}
}

func TestARevokedKeyDoesNotOpenTheDoor(t *testing.T) {
	random := dice()
	s := mint(t, random)
	g := loaded(Options{})
	learn(t, g, s.ID(), record(s, Admin, "default").Encode())
	learn(t, g, s.ID()+RevokedSuffix, Ending{At: 1}.Encode())
	if _, v := g.Identify(nil, true, 0); v != Unknown {
		t.Errorf("without a key: %d", v)
	}
}

func TestStrictRefusesInDoubt(t *testing.T) {
	random := dice()
	s := mint(t, random)
	for _, strict := range []bool{false, true} {
		g := loaded(Options{Strict: strict})
		g.Doubt(true)
		want := map[bool]Verdict{true: Unsure, false: Admitted}[strict]
		if _, v := g.Identify(nil, true, 0); v != want {
			t.Errorf("strict %v, no keys: %d", strict, v)
		}
		learn(t, g, s.ID(), record(s, Admin, "default").Encode())
		if _, v := g.Identify([]byte(s.Reveal()), true, 0); v != want {
			t.Errorf("strict %v: %d", strict, v)
		}
		if _, v := g.Identify([]byte("wrong"), true, 0); v != Unknown {
			t.Errorf("strict %v, wrong: %d", strict, v)
		}
		g.Doubt(false)
		if _, v := g.Identify([]byte(s.Reveal()), true, 0); v != Admitted {
			t.Errorf("strict %v, no doubt left: %d", strict, v)
		}
	}
}

func TestKeysOfFiles(t *testing.T) {
	random := dice()
	a, b := mint(t, random), mint(t, random)
	g := loaded(Options{})
	g.Static([]Secret{a})
	if c, v := g.Identify([]byte(a.Reveal()), false, 0); v != Admitted || c.Role != Admin {
		t.Errorf("%d %+v", v, c)
	}
	g.Static([]Secret{b})
	if _, v := g.Identify([]byte(a.Reveal()), false, 0); v != Unknown {
		t.Errorf("the old one: %d", v)
	}
	if _, v := g.Identify([]byte(b.Reveal()), false, 0); v != Admitted {
		t.Errorf("the new one: %d", v)
	}
	if len(g.Keys()) != 0 {
		t.Error("a key of a file is listed")
	}
}

func TestBadRecordsAreRefused(t *testing.T) {
	g := loaded(Options{})
	const id = "00000000000000aa"
	for _, value := range []string{"", "{}", `{"role":"king","tenant":"x","hash":""}`, `{"role":"admin","tenant":"","hash":"00"}`, `{"role":"admin","tenant":"x","hash":"zz"}`} {
		if g.Learn(id, []byte(value), false) == nil {
			t.Errorf("%q was taken", value)
		}
	}
	if !g.Keyless() {
		t.Error("a bad record counts as a key")
	}
	if g.Learn(id+RevokedSuffix, []byte("nonsense"), false) == nil || g.LearnTenant("x", []byte("nonsense"), false) == nil {
		t.Error("nonsense was taken")
	}
}

func TestSecrets(t *testing.T) {
	s := mint(t, dice())
	if again, err := ParseSecret(s.Reveal()); err != nil || again != s {
		t.Errorf("%v %v", again, err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %s", s, s)} {
		if strings.Contains(text, s.Reveal()[len(s.Prefix())+1:]) {
			t.Errorf("%q shows the secret", text)
		}
	}
	if !ValidID(s.ID()) || ValidID(s.Prefix()) || len(s.Reveal()) != keyLen {
		t.Errorf("%+v", s)
	}
	if _, err := NewSecret(bytes.NewReader(make([]byte, 39))); err == nil {
		t.Error("a key was made of too little chance")
	}
}

func TestBearer(t *testing.T) {
	for value, want := range map[string]string{
		"Bearer x": "x", "bearer  x": "x", "BEARER x y": "x y", "Basic x": "", "Bearer": "", "Bearer ": "", "": "",
	} {
		if got := Bearer([]byte(value)); string(got) != want {
			t.Errorf("%q: %q", value, got)
		}
	}
}

func TestRoles(t *testing.T) {
	for _, r := range Roles {
		for right := Nobody; right <= Inspect; right++ {
			c := Caller{Role: r, rights: r.rights()}
			if c.May(right) != r.May(right) {
				t.Errorf("%s: the bits and the table differ about %d", r, right)
			}
		}
		if r.May(Nobody) || !r.May(Open) || !r.May(Known) {
			t.Errorf("%s has a right nobody has, or lacks one everybody has", r)
		}
		for _, other := range Roles {
			if !r.MayIssue(other) {
				continue
			}
			for _, right := range grants[other] {
				if !r.May(right) {
					t.Errorf("%s hands out %s, which may do more", r, other)
				}
			}
		}
	}
	if Role("king").May(Known) || Role("").May(Consume) {
		t.Error("a role that is none has rights")
	}
}

// A tenant gets its rate and the burst of one second, and not more, whatever the pace of its calls.
func TestRequestRate(t *testing.T) {
	tenant := newTenant("a")
	if tenant.Take(0, 1e6) != 0 {
		t.Error("without a quota something is refused")
	}
	tenant.learn(TenantRecord{Quota: Quota{RequestsPerSecond: 100}}, true)
	tenant.Share(2)
	random := rand.New(rand.NewPCG(1, 2))
	now, passed := int64(0), int64(0)
	for now < 20*int64(time.Second) {
		now += random.Int64N(int64(5 * time.Millisecond))
		n := 1 + random.Int64N(3)
		if tenant.Take(now, n) == 0 {
			passed += n
		}
	}
	if passed < 20*50-5 || passed > 20*50+50+5 {
		t.Errorf("%d requests passed in 20 s at half of 100/s", passed)
	}
	if tenant.Refused() == 0 {
		t.Error("refusals are not counted")
	}
	// One large batch passes when nothing is owed, and is paid for.
	now += int64(time.Minute)
	if tenant.Take(now, 1000) != 0 {
		t.Error("the batch is refused for ever")
	}
	if wait := tenant.Take(now+int64(10*time.Second), 1); wait < 8*time.Second {
		t.Errorf("the batch is not paid for: wait %v", wait)
	}
}

func TestWatchQuota(t *testing.T) {
	tenant := newTenant("a")
	tenant.learn(TenantRecord{Quota: Quota{Watchers: 1}}, true)
	if !tenant.Watch() || tenant.Watch() {
		t.Error("not one")
	}
	if tenant.Unwatch(); !tenant.Watch() || tenant.Watchers() != 1 {
		t.Error("a place is not given back")
	}
}

func TestConcurrentUse(t *testing.T) {
	random := dice()
	g := loaded(Options{})
	keys := make([]Secret, 50)
	for i := range keys {
		keys[i] = mint(t, random)
	}
	learn(t, g, keys[0].ID(), record(keys[0], Admin, "default").Encode())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				if c, v := g.Identify([]byte(keys[0].Reveal()), false, 0); v != Admitted || c.Tenant.Take(0, 1) != 0 {
					t.Error("the first key is refused")
					return
				}
			}
		})
	}
	for _, s := range keys[1:] {
		learn(t, g, s.ID(), record(s, Consumer, "acme").Encode())
	}
	wg.Wait()
	if len(g.Keys()) != len(keys) || len(g.Tenants()) != 2 {
		t.Errorf("%d keys, %d tenants", len(g.Keys()), len(g.Tenants()))
	}
}

// A check is far below 200 ns and allocates nothing; a wrong secret costs one hash whether its id is known or not.
func BenchmarkIdentify(b *testing.B) {
	random := dice()
	g := loaded(Options{})
	var s Secret
	for range 1000 {
		s = mint(b, random)
		learn(b, g, s.ID(), record(s, Consumer, "acme").Encode())
	}
	good := []byte(s.Reveal())
	wrong := append(bytes.Clone(good[:len(good)-1]), 'A')
	if wrong[len(wrong)-1] == good[len(good)-1] {
		wrong[len(wrong)-1] = 'B'
	}
	unknown := bytes.Clone(wrong)
	copy(unknown[len(keyPrefix):], "0000000000000000")
	for _, c := range []struct {
		name  string
		token []byte
		want  Verdict
	}{{"valid", good, Admitted}, {"wrong", wrong, Unknown}, {"unknown", unknown, Unknown}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, v := g.Identify(c.token, false, 0); v != c.want {
					b.Fatal(v)
				}
			}
		})
	}
}

func TestIdentifyAllocatesNothing(t *testing.T) {
	s := mint(t, dice())
	g := loaded(Options{})
	learn(t, g, s.ID(), record(s, Consumer, "acme").Encode())
	token := []byte(s.Reveal())
	if n := testing.AllocsPerRun(100, func() { g.Identify(token, false, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSameSeesEveryByte(t *testing.T) {
	var a [secretLen]byte
	for i := range a {
		a[i] = byte(i)
	}
	for i := range a {
		b := bytes.Clone(a[:])
		if !same(&a, b) {
			t.Fatal("equal secrets differ")
		}
		if b[i] ^= 1; same(&a, b) {
			t.Errorf("byte %d is not looked at", i)
		}
	}
	if same(&a, a[:secretLen-1]) {
		t.Error("a shorter one is the same")
	}
}
