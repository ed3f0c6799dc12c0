package netlab

import (
	"encoding/binary"
	"math/rand/v2"
)

// IP protocol numbers.
const (
	protocolTCP = 6
	protocolUDP = 17
)

// flipBit flips one bit behind the IP header. TCP and UDP checksums notice.
func flipBit(packet []byte, chance *rand.Rand) {
	if from := int(packet[0]&0x0f) * 4; from < len(packet) {
		packet[from+chance.IntN(len(packet)-from)] ^= 1 << chance.IntN(8)
	}
}

// forge flips one bit of what a program sent and corrects the checksum, as bad
// memory in a router does. It reports whether the packet carried anything.
func forge(packet []byte, chance *rand.Rand) bool {
	body := packet[min(int(packet[0]&0x0f)*4, len(packet)):]
	var header, sum int
	switch packet[9] {
	case protocolTCP:
		if len(body) < 20 {
			return false
		}
		header, sum = int(body[12]>>4)*4, 16
	case protocolUDP:
		header, sum = 8, 6
	default:
		return false
	}
	if len(body) <= header {
		return false
	}
	at := header + chance.IntN(len(body)-header)
	word := at &^ 1
	before := word16(body, word)
	body[at] ^= 1 << chance.IntN(8)
	checksum := binary.BigEndian.Uint16(body[sum:])
	if packet[9] == protocolUDP && checksum == 0 {
		return true // sent without a checksum
	}
	binary.BigEndian.PutUint16(body[sum:], adjusted(checksum, before, word16(body, word)))
	return true
}

// word16 is the 16-bit word at an even offset, padded at the end.
func word16(b []byte, at int) uint16 {
	if at+1 == len(b) {
		return uint16(b[at]) << 8
	}
	return binary.BigEndian.Uint16(b[at:])
}

// adjusted is an Internet checksum after one word has changed (RFC 1624).
func adjusted(checksum, before, after uint16) uint16 {
	sum := uint32(^checksum) + uint32(^before) + uint32(after)
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	return ^uint16(sum)
}
