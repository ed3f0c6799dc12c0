// Package access decides who may do what: API keys, roles, tenants and their quotas.
//
// It is arithmetic on facts it is told and on arguments: it stores nothing, reads no clock and draws no chance. What it
// knows of keys and tenants are the records that the node keeps as replicated registers; a [Guard] holds them in memory
// and answers, for the bytes a caller sent, which key that is.
//
// A key is "ock_", sixteen hex digits of its id, "_", and 43 characters of base64url: 256 random bits. Only the SHA-256
// of the secret is kept. A slow hash would buy nothing: it exists to make guesses at a *weak* secret expensive, and
// nobody finds 256 random bits by trying, at any price of a trial; while each wrong key sent by a stranger would cost
// the node what the slow hash costs.
//
// Guard.Identify and the quotas may be called by any number of goroutines, while records are being learnt; they take
// no lock and allocate nothing.
package access
