package mlrefill

// Tier is what a request may draw on.
type Tier uint8

const (
	// Guaranteed is demand within the contract: the agent's own bucket holds it.
	Guaranteed Tier = iota
	// Planned is beyond the contract, but within the rate the plan gives.
	Planned
	// Borrowed is beyond that.
	Borrowed
)

// Lender says how far down each tier may draw the bucket of a pool (or of a
// node's part of one). The bucket, with the pool's capacity as its rate, bounds
// what reaches the downstream: its depth is how much may wait there.
//
//	depth  ─ ┬ full: nothing waits
//	         │   everybody
//	margin ─ ┼ only while the pool is contended
//	         │   planned and guaranteed
//	reserve ─┤
//	         │   guaranteed only
//	0      ─ ┴ the queue is as long as max_queue_delay allows: deny
type Lender struct {
	// Depth is the capacity of the bucket, in requests.
	Depth float64
	// Reserve stays for guaranteed demand.
	Reserve float64
	// Margin stays, beyond the reserve, for planned demand.
	Margin float64
}

const (
	// tickSeconds is how finely an overload is seen at all.
	tickSeconds = 0.1
	// slackSeconds is less than that, so that an estimate of the capacity that is a
	// little too high is no overload at once.
	slackSeconds = 0.07
	// reservePart of the depth is kept for guarantees when the slack has no room.
	reservePart = 0.1
	marginPart  = 0.05
)

// Use says who draws on a pool.
type Use uint8

const (
	// Lone is one agent: there is nobody to keep anything for.
	Lone Use = iota
	// Shared is several, who are expected to ask for less than there is.
	Shared
	// Contended is several who are expected to ask for more.
	Contended
)

// NewLender cuts the depth of a pool that runs at rate and may let requests wait
// for delay seconds. cost is the largest request.
//
// Everybody may use what rate·delay holds. Guarantees may use a slack beyond it,
// as long as one tick where that is little against the delay; where it is not,
// a part of the depth is kept for them instead.
func NewLender(rate, delay, cost float64, u Use) Lender {
	depth := rate*delay + cost
	if u == Lone {
		return Lender{Depth: depth}
	}
	slack := rate * clip((delay-tickSeconds)/4, 0, slackSeconds)
	whole := max(depth, min(depth+slack, rate*(delay+slackSeconds)))
	l := Lender{Depth: whole, Reserve: max(whole-depth, 0)}
	if slack == 0 {
		l.Reserve = depth * reservePart
	}
	if u == Contended {
		l.Margin = depth * marginPart
	}
	if l.Depth-l.Reserve-l.Margin < cost { // a small pool: a request must fit
		l.Margin = max(l.Depth-l.Reserve-cost, 0)
		l.Reserve = max(min(l.Reserve, l.Depth-cost), 0)
	}
	return l
}

// Floor is the level that a request of a tier must leave.
func (l *Lender) Floor(t Tier) float64 {
	switch t {
	case Guaranteed:
		return 0
	case Planned:
		return l.Reserve
	}
	return l.Reserve + l.Margin
}

// GuaranteeDepth is what the bucket of an agent's guarantee holds: a request, and
// the unevenness of arrivals within the guarantee. It has to be little, since all
// of them together may be drawn at once from the reserve; when it is more, the
// reserve is gone in the first moment of a crowd and protects nobody after it.
func GuaranteeDepth(rate, cost float64) float64 {
	return cost + max(rate*0.02, min(rate*0.1, cost))
}
