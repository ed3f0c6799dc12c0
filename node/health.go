package node

import (
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/openclaw/clawd/api/wire"
)

// phase is where a node is in its life. It only moves forward:
//
//	joining ──► syncing ──► ready ──► draining
//	   └───────────┴──────────────────────▲
//
// A joining node has no facts yet and cannot answer, a syncing one answers
// with what it has and fetches what it lacks, a ready one answers /readyz with
// 200, a draining one still answers while it goes. Members tell each other
// their phase by these names.
type phase int

const (
	phaseJoining phase = iota
	phaseSyncing
	phaseReady
	phaseDraining
)

var phaseNames = [...]string{
	phaseJoining:  wire.StateJoining,
	phaseSyncing:  "syncing",
	phaseReady:    wire.StateReady,
	phaseDraining: wire.StateLeaving,
}

func (p phase) String() string { return phaseNames[p] }

// reason names one cause for which a node answers, but less well than it
// should. The set is fixed, so that each can be a metric's label.
type reason string

const (
	reasonFlush   reason = "flush"      // the last flush failed: memory only
	reasonSlow    reason = "slow_disk"  // a flush takes longer than a second
	reasonDisk    reason = "disk_space" // the disk is nearly full: memory only
	reasonAlone   reason = "alone"      // none of the known peers is in reach
	reasonClock   reason = "clock"      // the wall clock went backwards
	reasonOutcast reason = "outcast"    // the peers refuse what this node says
)

var allReasons = []reason{reasonFlush, reasonSlow, reasonDisk, reasonAlone, reasonClock, reasonOutcast}

// health is what the node knows of its own condition.
type health struct {
	log *slog.Logger

	mu       sync.Mutex
	phase    phase
	degraded map[reason]string // with the detail for a person
	notes    map[reason]string // worth saying, not degraded
	ready    chan struct{}     // closed when ready for the first time
	draining chan struct{}     // closed when draining
}

func newHealth(log *slog.Logger) *health {
	return &health{
		log:      log,
		degraded: make(map[reason]string),
		notes:    make(map[reason]string),
		ready:    make(chan struct{}),
		draining: make(chan struct{}),
	}
}

// advance moves to a later phase; it reports whether that was a move.
func (h *health) advance(to phase) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to <= h.phase {
		return false
	}
	h.phase = to
	switch to {
	case phaseReady:
		close(h.ready)
	case phaseDraining:
		close(h.draining)
	}
	var why []any
	if reasons := h.reasonsLocked(); reasons != "" {
		why = []any{"degraded", reasons}
	}
	h.log.Info("node is "+to.String(), why...)
	return true
}

func (h *health) current() phase {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.phase
}

// degrade states a cause; an empty detail takes it back. The log gets the
// changes only.
func (h *health) degrade(why reason, detail string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, was := h.degraded[why]
	switch {
	case detail == "" && was:
		delete(h.degraded, why)
		h.log.Info("no longer degraded", "reason", why)
	case detail != "":
		h.degraded[why] = detail
		if !was {
			h.log.Warn("degraded", "reason", why, "detail", detail)
		}
	}
}

// note states something an operator should know of before it degrades the
// node; an empty detail takes it back.
func (h *health) note(why reason, detail string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, was := h.notes[why]
	switch {
	case detail == "" && was:
		delete(h.notes, why)
	case detail != "":
		h.notes[why] = detail
		if !was {
			h.log.Warn(detail, "reason", why)
		}
	}
}

func (h *health) isDegraded(why reason) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, yes := h.degraded[why]
	return yes
}

func (h *health) reasonsLocked() string {
	var names []string
	for why := range h.degraded {
		names = append(names, string(why))
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// checks is the answer to /readyz?verbose: the phase, which alone can make the
// node unready, then every possible cause of degradation.
func (h *health) checks() []wire.HealthCheck {
	h.mu.Lock()
	defer h.mu.Unlock()
	phase := wire.HealthCheck{Name: "phase", Status: wire.HealthOK, Detail: h.phase.String()}
	if h.phase != phaseReady {
		phase.Status = wire.HealthFailed
	}
	out := []wire.HealthCheck{phase}
	for _, why := range allReasons {
		c := wire.HealthCheck{Name: string(why), Status: wire.HealthOK, Detail: h.notes[why]}
		if detail, yes := h.degraded[why]; yes {
			c.Status, c.Detail = wire.HealthDegraded, detail
		}
		out = append(out, c)
	}
	return out
}
