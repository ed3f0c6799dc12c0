package chaos

import "time"

// Scale says how long and how often things happen in a trial.
type Scale struct {
	Warm  time.Duration // load before the fault, in which nodes learn each other's rates
	Fault time.Duration // a fault that lasts
	After time.Duration // load after it
	// Times a fault that is over at once is repeated.
	Kills    int
	Restarts int
}

// Short is for every run of the tests, Full for the published table.
var (
	Short = Scale{Warm: 7 * time.Second, Fault: 8 * time.Second, After: 5 * time.Second, Kills: 4, Restarts: 8}
	Full  = Scale{Warm: 15 * time.Second, Fault: 25 * time.Second, After: 20 * time.Second, Kills: 20, Restarts: 100}
)
