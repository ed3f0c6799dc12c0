package main

import (
	"io"
	"testing"
)

func TestOptionsThatMeasureNothingAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-rounds", "0"},
		{"-agents", "0"},
		{"-threads", "0"},
		{"-threads", "4", "-connections", "3"},
		{"-duration", "500ms"},
		{"-duration", "1500ms"},
		{"-no-such-flag"},
	} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%v: accepted", args)
		}
	}
	if _, err := parse(nil, io.Discard); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}
