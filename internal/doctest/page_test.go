package doctest

import (
	"reflect"
	"strings"
	"testing"
)

const page = "# Title\n" +
	"```sh\nmake demo\n```\n" +
	"text\n" +
	"```console\n" +
	"$ make build\n" +
	"$ curl -s \\\n" +
	"    localhost:8080\n" +
	"{\"a\":1}\n" +
	"\n" +
	"last\n" +
	"```\n"

func TestTheCommandsOfAPage(t *testing.T) {
	got, err := steps(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []step{
		{line: 7, command: "make build"},
		{line: 8, command: "curl -s \\\n    localhost:8080", want: []string{`{"a":1}`, "", "last"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
}

func TestAPageThatCannotBeTypedIsRefused(t *testing.T) {
	for name, page := range map[string]string{
		"block does not end":         "```console\n$ true\n",
		"output before a command":    "```console\nhello\n```\n",
		"command ends in a backlash": "```console\n$ curl \\\n```\n",
	} {
		if got, err := steps(page); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func TestACurlExampleThatNothingRunsIsFound(t *testing.T) {
	got, err := untested(strings.ReplaceAll(page, "make demo", "curl -s localhost:8080"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{3}; !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
