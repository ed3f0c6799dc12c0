// Package discovery finds the gossip addresses of other nodes: whom to join.
//
// What to look up is said in words, the values of `clawd serve --join`:
//
//	10.0.0.7            a host, or host:port; port 7946 when there is none
//	dns:clawd.internal  every address of a name; dns:_gossip._tcp.name asks for SRV records
//	file:/etc/peers     a file with an address a line, read again when it changed
//	aws:tag=KEY:VALUE   the EC2 instances that carry a tag
//
// The package answers with addresses, which may include the caller's own and
// those of nodes that are gone. It joins nobody, keeps nothing but credentials
// and the last contents of a file, never retries (who asks does, with
// back-off), and starts no goroutine. Every lookup is bounded: in time by its
// context, in size by constants. A Source is for one caller at a time.
package discovery
