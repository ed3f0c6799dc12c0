package proc

import (
	"fmt"
	"net"
)

// FreeAddr returns a loopback address whose port was free a moment ago for both
// TCP and UDP, since gossip needs the same port of both.
func FreeAddr() (string, error) {
	var last error
	for range 100 {
		addr, err := tryAddr()
		if err == nil {
			return addr, nil
		}
		last = err
	}
	return "", fmt.Errorf("no free port: %w", last)
}

func tryAddr() (string, error) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := tcp.Addr().String()
	if err := tcp.Close(); err != nil {
		return "", err
	}
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return "", err
	}
	return addr, udp.Close()
}
