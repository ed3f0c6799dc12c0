// Package netlab builds small networks of real Linux hosts for tests: each host
// is a network namespace of its own, so that a server in it believes to be alone
// on a machine.
//
// There are two kinds of network. A Switch joins its hosts by veth pairs and a
// bridge, and nftables cuts links between them, in one direction or both. A Wire
// joins its hosts by TUN devices whose packets pass through this process, which
// delays, loses, duplicates, reorders and corrupts them: the kernels we test on
// have no netem. Both carry TCP and UDP alike.
//
// Namespaces have no name. They, their devices and rules vanish when they are
// closed, or with the process that made them, however it ends: there is nothing
// to clean up after a crash. Nothing outside of them is touched, and nothing
// inside reaches anything outside.
//
// It needs Linux, CAP_SYS_ADMIN and CAP_NET_ADMIN, and the commands ip and nft;
// without them New… fails and says what is missing. All methods are safe for
// concurrent use.
package netlab
