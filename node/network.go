package node

import (
	"context"
	"net"
)

// Network is how a node reaches the world. Production uses the operating
// system's sockets; tests and the demo hand in one that cuts and heals the
// links between nodes living in the same process.
//
// Listen and ListenPacket must be able to share one port number, since gossip
// uses TCP and UDP on the same one. All methods are called concurrently.
type Network interface {
	// Listen opens a TCP listener on host:port; port 0 lets the system choose.
	Listen(ctx context.Context, addr string) (net.Listener, error)
	// ListenPacket opens a UDP socket on host:port.
	ListenPacket(ctx context.Context, addr string) (net.PacketConn, error)
	// Dial opens a TCP connection to host:port and honours the deadline of ctx.
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// systemNetwork is the operating system's own network.
type systemNetwork struct{}

func (systemNetwork) Listen(ctx context.Context, addr string) (net.Listener, error) {
	var c net.ListenConfig
	return c.Listen(ctx, "tcp", addr)
}

func (systemNetwork) ListenPacket(ctx context.Context, addr string) (net.PacketConn, error) {
	var c net.ListenConfig
	return c.ListenPacket(ctx, "udp", addr)
}

func (systemNetwork) Dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}
