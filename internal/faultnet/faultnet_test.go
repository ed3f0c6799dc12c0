package faultnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/faultnet"
)

func TestACutBreaksWhatIsOpenAndRefusesWhatIsNew(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	world := faultnet.New()
	a, b := world.Host("a"), world.Host("b")
	l, err := a.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	c, err := b.Dial(ctx, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	other := <-accepted
	defer func() { _ = other.Close() }()

	world.Cut("b", "a")
	if _, err := other.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read over a cut connection: %v, want EOF", err)
	}
	if _, err := b.Dial(ctx, l.Addr().String()); !errors.Is(err, faultnet.ErrCut) {
		t.Errorf("dial over a cut link: %v, want ErrCut", err)
	}
	world.Heal()
	again, err := b.Dial(ctx, l.Addr().String())
	if err != nil {
		t.Fatalf("dial over a healed link: %v", err)
	}
	_ = again.Close()
}

func TestACutSwallowsPackets(t *testing.T) {
	ctx := t.Context()
	world := faultnet.New()
	a, err := world.Host("a").ListenPacket(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	b, err := world.Host("b").ListenPacket(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()

	world.Isolate("a", "b")
	if _, err := a.WriteTo([]byte("lost"), b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	world.Heal()
	if _, err := a.WriteTo([]byte("kept"), b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	_ = b.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, _, err := b.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "kept" {
		t.Errorf("received %q, %v; want only the packet sent after the heal", buf[:n], err)
	}
}
