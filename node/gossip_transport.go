package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// gossipTransport carries memberlist's packets and streams over a Network.
// memberlist's own transport opens system sockets and nothing else, so links
// between nodes of one process could not be cut.
type gossipTransport struct {
	network   Network
	listener  net.Listener
	packets   net.PacketConn
	advertise netip.AddrPort

	packetCh chan *memberlist.Packet
	streamCh chan net.Conn
	closed   chan struct{}
	once     sync.Once
	wg       sync.WaitGroup

	dialing context.Context // ends with interrupt
	cease   context.CancelFunc
}

var _ memberlist.NodeAwareTransport = (*gossipTransport)(nil)

// listenGossip opens both sockets of addr on one port. Set advertise before
// serve when others reach this node elsewhere.
func listenGossip(ctx context.Context, network Network, addr string) (*gossipTransport, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		t, err := listenBoth(ctx, network, addr, host)
		// Any free TCP port may be taken on the UDP side; then take another.
		if err == nil || port != "0" || attempt == 10 {
			return t, err
		}
	}
}

func listenBoth(ctx context.Context, network Network, addr, host string) (*gossipTransport, error) {
	listener, err := network.Listen(ctx, addr)
	if err != nil {
		return nil, err
	}
	bound, err := netip.ParseAddrPort(listener.Addr().String())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	packets, err := network.ListenPacket(ctx, net.JoinHostPort(host, fmt.Sprint(bound.Port())))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	t := &gossipTransport{
		network: network, listener: listener, packets: packets,
		advertise: netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port()),
		packetCh:  make(chan *memberlist.Packet),
		streamCh:  make(chan net.Conn),
		closed:    make(chan struct{}),
	}
	t.dialing, t.cease = context.WithCancel(context.Background())
	if big, ok := packets.(interface{ SetReadBuffer(int) error }); ok {
		_ = big.SetReadBuffer(gossipReadBuffer) // the system's own limit is fine too
	}
	return t, nil
}

// gossipReadBuffer absorbs bursts of packets while the process is busy.
const gossipReadBuffer = 1 << 20

// serve starts the two readers; Shutdown waits for them.
func (t *gossipTransport) serve() {
	t.wg.Go(t.acceptStreams)
	t.wg.Go(t.readPackets)
}

// addr is where the sockets are.
func (t *gossipTransport) addr() string { return t.listener.Addr().String() }

// FinalAdvertiseAddr implements memberlist.Transport.
func (t *gossipTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.advertise.Addr().AsSlice(), int(t.advertise.Port()), nil
}

// WriteTo implements memberlist.Transport.
func (t *gossipTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return time.Time{}, err
	}
	_, err = t.packets.WriteTo(b, to)
	return time.Now(), err
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (t *gossipTransport) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, addr.Addr)
}

// PacketCh implements memberlist.Transport.
func (t *gossipTransport) PacketCh() <-chan *memberlist.Packet { return t.packetCh }

// StreamCh implements memberlist.Transport.
func (t *gossipTransport) StreamCh() <-chan net.Conn { return t.streamCh }

// DialTimeout implements memberlist.Transport.
func (t *gossipTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.dialing, timeout)
	defer cancel()
	return t.network.Dial(ctx, addr)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *gossipTransport) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(addr.Addr, timeout)
}

// interrupt aborts the dials under way and refuses later ones. A stopping node
// must not wait for hosts that do not answer.
func (t *gossipTransport) interrupt() { t.cease() }

// Shutdown implements memberlist.Transport.
func (t *gossipTransport) Shutdown() error {
	var err error
	t.once.Do(func() {
		close(t.closed)
		t.cease()
		err = errors.Join(t.listener.Close(), t.packets.Close())
	})
	t.wg.Wait()
	return err
}

func (t *gossipTransport) acceptStreams() {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			if !t.pause() {
				return
			}
			continue
		}
		select {
		case t.streamCh <- conn:
		case <-t.closed:
			_ = conn.Close()
			return
		}
	}
}

// maxPacket is the largest UDP payload.
const maxPacket = 65536

func (t *gossipTransport) readPackets() {
	buf := make([]byte, maxPacket)
	for {
		n, from, err := t.packets.ReadFrom(buf)
		if err != nil {
			if !t.pause() {
				return
			}
			continue
		}
		if n == 0 {
			continue
		}
		p := &memberlist.Packet{Buf: append([]byte(nil), buf[:n]...), From: from, Timestamp: time.Now()}
		select {
		case t.packetCh <- p:
		case <-t.closed:
			return
		}
	}
}

// pause keeps a broken socket from spinning; false means the transport closed.
func (t *gossipTransport) pause() bool {
	select {
	case <-t.closed:
		return false
	case <-time.After(10 * time.Millisecond):
		return true
	}
}
