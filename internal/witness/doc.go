// Package witness judges a cluster by what its clients were answered. Clients
// note every answer in a Book while faults happen; afterwards the book is
// compared with what the cluster has counted and with what one central bucket
// would have admitted of the same arrivals.
//
// It makes no requests and reads no clock: instants are arguments. A Book may be
// used from several goroutines; the functions over answers are pure.
package witness
