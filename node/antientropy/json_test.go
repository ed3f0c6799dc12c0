package antientropy

import (
	"errors"
	"reflect"
	"testing"

	"github.com/openclaw/clawd/crdt"
)

func jsonPage() *Page {
	run := crdt.Run{Origin: 7, Node: 3, Name: "a", Started: crdt.NewHLC(1_000, 2)}
	return &Page{
		Cluster: "clawd", From: 3, Clock: crdt.NewHLC(2_000, 1), Run: run,
		Session: 9, FromSeq: 1, AfterSeq: 1, Upto: 5, Stable: 1_900, Complete: true,
		Entries: []crdt.Entry{
			{
				Kind: crdt.KindBucket, Key: crdt.BucketKey{Tenant: "default", Agent: "agent:42/\xff%"}.Encode(),
				Row: crdt.Row{Birth: 2, Consumed: 5, Refunded: 1, TS: 1_500, Seq: 2},
			},
			{
				Kind: crdt.KindCounter, Key: crdt.CounterKey{Tenant: "default", Name: "hits", Epoch: 4}.Encode(),
				Row: crdt.Row{Birth: 3, Consumed: 5, TS: 1_600, Seq: 3},
			},
			{
				Kind: crdt.KindRegister, Key: crdt.RegisterKey{Space: crdt.SpaceKV, Tenant: "default", Name: "k"}.Encode(),
				Register: crdt.Register{
					Value: []byte{0, 1}, Meta: "text/plain", Version: crdt.NewHLC(1_700, 0),
					Writer: 3, ExpiresAt: 9_000, Origin: 7, Gen: 1, Seq: 5,
				},
			},
		},
	}
}

func TestJSONSaysWhatTheBinaryFormSays(t *testing.T) {
	page := jsonPage()
	text, err := page.JSON()
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := DecodePageJSON(text)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	fromBinary, err := DecodePage(page.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromJSON, fromBinary) {
		t.Errorf("JSON    %+v\nbinary  %+v", fromJSON, fromBinary)
	}
}

func TestJSONRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{
		``, `{`, `[]`, `{"cluster":"clawd"}`, `{"cluster":"clawd","surprise":1}`,
		`{"cluster":"clawd","from":"0000000000000003","run":{"origin":"0000000000000007","node":"0000000000000003"},"entries":[{"kind":"row"}]}`,
		`{} {}`,
	} {
		if _, err := DecodePageJSON([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", text, err)
		}
	}
}
