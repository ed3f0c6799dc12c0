package proc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports are drawn from below the range from which Linux takes the ports of
// outgoing connections: one of those would keep a server from coming back to its
// own address.
const (
	firstPort = 20000
	afterPort = 32000
)

// given are the ports this process was given: free or not, they have an owner.
var given sync.Map

// FreeAddr returns a loopback address whose port was free a moment ago for both
// TCP and UDP, since gossip needs the same port of both. It stays free of
// outgoing connections and is given to nobody else in this process, so that a
// server can be restarted on it.
func FreeAddr() (string, error) {
	var last error
	for range 100 {
		port := firstPort + rand.IntN(afterPort-firstPort)
		if _, taken := given.LoadOrStore(port, nil); taken {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if last = tryAddr(addr); last == nil {
			return addr, nil
		}
	}
	return "", fmt.Errorf("no free port: %w", last)
}

func tryAddr(addr string) error {
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return errors.Join(err, tcp.Close())
	}
	return errors.Join(tcp.Close(), udp.Close())
}
