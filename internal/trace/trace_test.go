package trace

import (
	"bytes"
	"compress/gzip"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	got, err := Read(strings.NewReader("second,agent,requests\n1,a,3\n0,b,2\n1,b,1\n"))
	want := &Trace{Points: []Point{{0, "b", 2, nil}, {1, "a", 3, nil}, {1, "b", 1, nil}}, Extra: []string{}}
	if err != nil || !reflect.DeepEqual(got.Points, want.Points) || len(got.Extra) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("second,requests,tokens\n5,2,900\n"))
	_ = z.Close()
	got, err = Read(&packed)
	if err != nil || len(got.Points) != 1 || got.Points[0].Extra[0] != 900 || got.Extra[0] != "tokens" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for in, word := range map[string]string{
		"":                                    "header",
		"a,b\n":                               "header",
		"second,requests\n1,x\n":              "line 2",
		"second,requests\n1,-2\n":             "line 2",
		"second,requests\n1,2\n1\n":           "fields",
		"second,requests\n1,99999999999999\n": "whole number",
		"\x1f\x8b broken":                     "EOF",
	} {
		if _, err := Read(strings.NewReader(in)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v, want a word about %q", in, err, word)
		}
	}
}

func TestTheCommittedTracesAreReadable(t *testing.T) {
	for name, want := range map[string]int64{
		"azure_llm_2023_conv_1s.csv.gz":    19366,
		"servegen_msmall_agents_1s.csv.gz": 522649,
	} {
		tr, err := Open("../../testdata/traces/" + name)
		if err != nil {
			t.Error(err)
			continue
		}
		var sum int64
		for _, p := range tr.Points {
			sum += p.Requests
		}
		if sum != want {
			t.Errorf("%s: %d requests, want %d", name, sum, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("second,requests\n1,2\n"))
	f.Add([]byte("second,agent,requests,tokens\n1,a,2,3\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, err := Read(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v is not ErrFormat", err)
			}
			return
		}
		for i, p := range tr.Points {
			if p.Requests < 0 || len(p.Extra) != len(tr.Extra) || i > 0 && tr.Points[i-1].Second > p.Second {
				t.Fatalf("point %d: %+v", i, p)
			}
		}
	})
}
