package netlab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Link is what happens to packets in one direction between two hosts. The zero
// value delivers everything at once.
type Link struct {
	Delay  time.Duration
	Jitter time.Duration // evenly drawn from 0 to this, on top of Delay; keeps the order
	// Shares of packets, 0 to 1.
	Loss      float64
	Duplicate float64
	Reorder   float64 // delivered later than what follows
	Corrupt   float64 // one bit flipped; the receiver's kernel drops it
	Forge     float64 // one bit flipped and the checksum made right, so that the program gets it
}

// Traffic counts packets.
type Traffic struct{ Carried, Lost, Duplicated, Reordered, Corrupted, Forged, Overflowed int64 }

// Wire is a network whose packets pass through this process.
type Wire struct {
	mu      sync.Mutex
	net     network
	taps    map[netip.Addr]*tap
	links   map[direction]Link
	last    map[direction]time.Time // when the packet before is due, which the next must not overtake
	chance  *rand.Rand
	traffic Traffic
	transit *transit
	wg      sync.WaitGroup
}

// tap is the wire's end of a host's cable.
type tap struct {
	file *os.File
	host int
}

// NewWire makes a network without hosts whose faults are drawn from seed.
func NewWire(seed uint64) *Wire {
	w := &Wire{
		taps: make(map[netip.Addr]*tap), links: make(map[direction]Link), last: make(map[direction]time.Time),
		chance: rand.New(rand.NewPCG(seed, 0)), transit: newTransit(),
	}
	w.wg.Go(w.transit.run)
	return w
}

// Host adds a machine.
func (w *Wire) Host(name string) (*Host, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h, err := w.net.next(name)
	if err != nil {
		return nil, err
	}
	var file *os.File
	if err := h.Do(func() (err error) { file, err = openTUN(); return err }); err != nil {
		return nil, fmt.Errorf("netlab: no TUN device can be made here: %w", err)
	}
	for _, argv := range []string{"ip addr add " + h.Addr.String() + addressBits + " dev " + tunName, "ip link set " + tunName + " up"} {
		if err := h.Run(strings.Fields(argv)...); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	t := &tap{file: file, host: len(w.net.hosts) - 1}
	w.taps[h.Addr] = t
	w.wg.Go(func() { w.carry(t) })
	return h, nil
}

const tunName = "tun0"

// openTUN makes a TUN device in the namespace of the thread.
func openTUN() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(tunName)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

// Set changes one direction between two hosts.
func (w *Wire) Set(from, to string, l Link) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.net.named(from)
	if err != nil {
		return err
	}
	b, err := w.net.named(to)
	if err != nil {
		return err
	}
	w.links[direction{a, b}] = l
	return nil
}

// SetAll changes all directions between the hosts there are.
func (w *Wire) SetAll(l Link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for a := range w.net.hosts {
		for b := range w.net.hosts {
			w.links[direction{a, b}] = l
		}
	}
}

// Traffic returns what happened so far.
func (w *Wire) Traffic() Traffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.traffic
}

// carry takes the packets a host sends until its device is closed.
func (w *Wire) carry(from *tap) {
	buf := make([]byte, 1<<16)
	for {
		n, err := from.file.Read(buf)
		if err != nil {
			return
		}
		if to, ok := destination(buf[:n]); ok {
			w.forward(from, to, append([]byte(nil), buf[:n]...))
		}
	}
}

// destination reads where an IPv4 packet goes; the rest (IPv6's chatter) goes
// nowhere.
func destination(packet []byte) (netip.Addr, bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(packet[16:20])
}

// forward decides the fate of one packet.
func (w *Wire) forward(from *tap, dst netip.Addr, packet []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	to, found := w.taps[dst]
	if !found {
		return
	}
	way := direction{from.host, to.host}
	l := w.links[way]
	if w.draw(l.Loss) {
		w.traffic.Lost++
		return
	}
	if w.draw(l.Corrupt) {
		w.traffic.Corrupted++
		flipBit(packet, w.chance)
	}
	if w.draw(l.Forge) && forge(packet, w.chance) {
		w.traffic.Forged++
	}
	w.send(way, l, to, packet)
	if w.draw(l.Duplicate) {
		w.traffic.Duplicated++
		w.send(way, l, to, packet)
	}
}

func (w *Wire) send(way direction, l Link, to *tap, packet []byte) {
	due := time.Now().Add(l.Delay)
	if l.Jitter > 0 {
		due = due.Add(time.Duration(w.chance.Int64N(int64(l.Jitter))))
	}
	if w.draw(l.Reorder) {
		w.traffic.Reordered++
		due = due.Add(l.Delay + l.Jitter + time.Millisecond)
	} else {
		if last := w.last[way]; due.Before(last) {
			due = last
		}
		w.last[way] = due
	}
	if w.transit.add(parcel{due: due, to: to.file, packet: packet}) {
		w.traffic.Carried++
	} else {
		w.traffic.Overflowed++
	}
}

func (w *Wire) draw(share float64) bool { return share > 0 && w.chance.Float64() < share }

// Close takes the network down and waits for what carries it.
func (w *Wire) Close() error {
	w.mu.Lock()
	var errs []error
	for _, t := range w.taps {
		errs = append(errs, t.file.Close())
	}
	for _, h := range w.net.hosts {
		errs = append(errs, h.Close())
	}
	w.mu.Unlock()
	w.transit.stop()
	w.wg.Wait()
	return errors.Join(errs...)
}
