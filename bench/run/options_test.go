package main

import (
	"io"
	"testing"
)

func TestOptionsThatMeasureNothingAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-rounds", "0"},
		{"-agents", "0"},
		{"-connections", "0"},
		{"-duration", "500ms"},
		{"-duration", "1500ms"},
		{"-only", "nothing"},
		{"-only", "batch,"},
		{"-no-such-flag"},
		{"batch"},
	} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%v: accepted", args)
		}
	}
	for _, args := range [][]string{nil, {"-only", "batch,sync"}} {
		if _, err := parse(args, io.Discard); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}
