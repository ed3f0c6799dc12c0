package client

import "github.com/openclaw/clawd/api/wire"

// Kinds of a key.
const (
	KindRegister = wire.KindRegister
	KindCounter  = wire.KindCounter
)

// MaxValueBytes is the size of the largest value a key can have.
const MaxValueBytes = wire.MaxValueBytes

// States of a Member.
const (
	StateJoining = wire.StateJoining
	StateReady   = wire.StateReady
	StateFailed  = wire.StateFailed
	StateLeaving = wire.StateLeaving
	StateLeft    = wire.StateLeft
)

// Results of a HealthCheck, and of a HealthInfo as a whole.
const (
	HealthOK       = wire.HealthOK
	HealthDegraded = wire.HealthDegraded
	HealthFailed   = wire.HealthFailed
)
