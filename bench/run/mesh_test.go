package main

import "testing"

func TestAMeshSendsEveryRowToEveryPeer(t *testing.T) {
	m, err := meshOf(4, 25, 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := float64(2 * 4 * 25 * 3); m.rows != want || m.bytes < 10*want || m.merging <= 0 {
		t.Errorf("%+v, want %v rows", m, want)
	}
}
