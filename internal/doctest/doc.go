// Package doctest runs the documentation. A fenced block marked "console" in
// README.md or under docs/ is a session that a reader can type, and the tests
// here type it: in a copy of the repository as git would clone it, against real
// nodes, comparing what is printed with what the page shows.
//
// What a page may contain:
//
//	$ command        run by bash; a trailing backslash continues on the next line
//	expected output  compared line by line; "…" in it stands for any text, a line
//	                 of only "…" for any number of lines
//
// A command that starts a node (bin/clawd serve …) goes on in the background;
// the next command runs once the node is ready. Every loopback port of a page
// is replaced by a free one, the same for the whole page. Commands that only
// read are repeated for a short while until they print what is expected, since
// nodes converge within a moment, not at once.
//
// A command without expected output has to succeed; that is all.
package doctest
