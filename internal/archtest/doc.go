// Package archtest holds the shape of the repository as a test: which package
// may import which, which packages stay pure, where the big dependencies may be
// seen, and which names a package must not have. Each rule is one sub-test, and
// a failure says what would have been allowed.
//
// A failure is a question for review, not an order: an arrow may be added to the
// table, in a commit that says why.
//
// It reads source files only, tests and all build tags included, and neither
// compiles nor runs anything, so it also judges a tree that does not build. All
// functions are pure but for reading the file system they are given.
package archtest
