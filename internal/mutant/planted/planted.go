// Package planted is the switch in a binary that carries planted bugs: which one
// of them is on. No product code imports it; package mutant weaves it in.
//
// The choice is made when the process starts and never again, so any goroutine
// may ask.
package planted

import (
	"fmt"
	"os"
	"strconv"
)

// Variable names the environment variable that chooses a bug by its number in
// mutant.All, from 1. Without it the code is what it is in the tree.
const Variable = "CLAWD_PLANTED_BUG"

var chosen = choose(os.Getenv(Variable))

// choose panics on what is not a number: a gate that runs the wrong bug, or
// none, proves nothing.
func choose(s string) int {
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		panic(fmt.Sprintf("%s=%q is not the number of a bug", Variable, s))
	}
	return n
}

// On tells whether the bug with this number is the chosen one.
func On(number int) bool { return chosen == number }
