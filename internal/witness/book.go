package witness

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Verdict is how a request ended, as far as its client can tell.
type Verdict uint8

// The ways a request ends.
const (
	// Admitted: acknowledged, so it must be counted.
	Admitted Verdict = iota
	// Denied: consumed nothing.
	Denied
	// Unknown: no answer, or one that leaves open whether it was counted.
	Unknown
	// Refused: no node saw it.
	Refused
)

// Answer is one request and how it ended.
type Answer struct {
	Agent  string
	Node   string
	Tokens int64
	// Sent and Done bound the instant of the decision, on the clients' clock.
	Sent, Done time.Duration
	Verdict    Verdict
	Err        error // why there was no decision
}

// Book collects answers. The zero value is empty.
type Book struct {
	mu      sync.Mutex
	answers []Answer
}

// Note adds an answer.
func (b *Book) Note(a Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers = append(b.answers, a)
}

// Answers returns those that every test holds for, in the order they were sent.
func (b *Book) Answers(tests ...func(Answer) bool) []Answer {
	b.mu.Lock()
	all := slices.Clone(b.answers)
	b.mu.Unlock()
	all = slices.DeleteFunc(all, func(a Answer) bool {
		return slices.ContainsFunc(tests, func(holds func(Answer) bool) bool { return !holds(a) })
	})
	slices.SortStableFunc(all, func(a, b Answer) int { return cmp.Compare(a.Sent, b.Sent) })
	return all
}

// Of selects the requests of one agent.
func Of(agent string) func(Answer) bool { return func(a Answer) bool { return a.Agent == agent } }

// SentIn selects the requests sent from one instant until before another.
func SentIn(from, until time.Duration) func(Answer) bool {
	return func(a Answer) bool { return from <= a.Sent && a.Sent < until }
}

// Undecided selects the requests nobody can say of whether they were counted.
func Undecided(a Answer) bool { return a.Verdict == Unknown }

// AckedIn selects the admissions through one node that a client may have heard
// of between two instants, both included.
func AckedIn(node string, from, until time.Duration) func(Answer) bool {
	return func(a Answer) bool {
		return a.Verdict == Admitted && a.Node == node && from <= a.Done && a.Sent <= until
	}
}

// Tally sums answers up.
type Tally struct {
	Requests int
	// Tokens by verdict.
	Admitted, Denied, Unknown, Refused int64
	// Errors is how many requests got no decision.
	Errors int
}

// Sum returns the tally of answers.
func Sum(answers []Answer) (t Tally) {
	for _, a := range answers {
		t.Requests++
		switch a.Verdict {
		case Admitted:
			t.Admitted += a.Tokens
		case Denied:
			t.Denied += a.Tokens
		case Unknown:
			t.Unknown += a.Tokens
			t.Errors++
		case Refused:
			t.Refused += a.Tokens
			t.Errors++
		}
	}
	return t
}
