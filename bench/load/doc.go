// Package load asks a server for decisions at a constant rate, whether it
// answers or not: an open loop.
//
// Latency is measured from the moment a request was due. A server that stalls
// for a second has then delayed every request of that second, and shows it; a
// closed loop, or one that measures from when it got round to sending, would
// have sent fewer and called them fast.
//
// A [Generator] is one thread that sleeps and polls with the kernel's
// resolution of microseconds, since Go's timers are a millisecond apart when a
// program is otherwise idle. It belongs to one caller at a time. Linux only.
package load
