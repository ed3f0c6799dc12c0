package witness

import "fmt"

// Account compares what clients know with what a cluster has counted.
type Account struct {
	// Acknowledged is what clients were told was consumed.
	Acknowledged int64
	// Uncertain is what may have been consumed on top: nobody was told.
	Uncertain int64
	// Counted is the cluster's total.
	Counted int64
}

// AccountOf closes the book for answers of one agent.
func AccountOf(answers []Answer, counted int64) Account {
	t := Sum(answers)
	return Account{Acknowledged: t.Admitted, Uncertain: t.Unknown, Counted: counted}
}

// Forgotten is the acknowledged consumption that is surely missing.
func (a Account) Forgotten() int64 { return max(0, a.Acknowledged-a.Counted) }

// Invented is the counted consumption that nobody can have asked for.
func (a Account) Invented() int64 { return max(0, a.Counted-a.Acknowledged-a.Uncertain) }

// Check is nil when at most mayForget is missing and at most mayInvent is too
// much.
func (a Account) Check(mayForget, mayInvent int64) error {
	if lost := a.Forgotten(); lost > mayForget {
		return fmt.Errorf("%d tokens were acknowledged but only %d are counted: %d are forgotten, allowed are %d",
			a.Acknowledged, a.Counted, lost, mayForget)
	}
	if extra := a.Invented(); extra > mayInvent {
		return fmt.Errorf("%d tokens are counted, but clients asked for at most %d: %d too many, allowed are %d",
			a.Counted, a.Acknowledged+a.Uncertain, extra, mayInvent)
	}
	return nil
}
