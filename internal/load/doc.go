// Package load offers consumption to nodes and notes in a witness.Book what each
// request was answered: arrivals by chance at a stated rate, and a bounded number
// of requests at a time.
//
// It repeats nothing and judges nothing. The functions may be called from several
// goroutines; each returns once its requests are answered and noted.
package load
