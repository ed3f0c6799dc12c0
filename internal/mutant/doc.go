// Package mutant asks whether the tests would notice. It keeps a list of bugs
// that a person might write into clawd, builds binaries that carry all of them,
// one of which can be switched on, and runs the simulator or the crash tests
// until something breaks.
//
// The product code has no hooks for this. A bug is a replacement of text in one
// function; [Weave] puts, into copies of the source files, the faulty body of
// the function in front of the good one, and the go command takes the copies
// for the files themselves (go build -overlay). A text that is not found
// exactly once is an error that names the bug: when the code changes, its bugs
// have to follow.
//
//	func (r *Receiver) Admit(p *Page) error {
//		if planted.On(1) { …the body with the bug… }
//		…the body as it is…
//	}
//
// Command run is the gate: every bug must be caught within its budget of seeds,
// by an invariant that it breaks, and without a bug the same seeds must find
// nothing.
package mutant
