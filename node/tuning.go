package node

import (
	"time"

	"github.com/openclaw/clawd/storage"
)

// tuning holds the periods nobody should have to set; tests shorten them.
type tuning struct {
	idleInterval    time.Duration // an empty page to peers that got nothing else
	tickInterval    time.Duration // held shares, member bookkeeping
	refillInterval  time.Duration // pools and adaptive rates are planned
	collectInterval time.Duration // idle rows and dead runs leave
	diskInterval    time.Duration // free space is looked at
	joinInterval    time.Duration // between attempts to find the first peer
	probeInterval   time.Duration // memberlist's failure probe
	idle            time.Duration // G, one constant of the cluster
	forgetAfter     time.Duration
	releaseAfter    time.Duration
	slowFlush       time.Duration // a flush longer than this degrades
	disk            storage.DiskLimits
	gapStorm        int // gaps within a minute that call for an audit

	// openStore opens the store in a directory.
	openStore func(dir string, o storage.Options) (*storage.Store, error)
}

func (t tuning) withDefaults() tuning {
	orDefault(&t.idleInterval, time.Second)
	orDefault(&t.tickInterval, time.Second)
	orDefault(&t.refillInterval, time.Second)
	orDefault(&t.collectInterval, 10*time.Second)
	orDefault(&t.diskInterval, 5*time.Second)
	orDefault(&t.joinInterval, time.Second)
	orDefault(&t.probeInterval, time.Second)
	orDefault(&t.idle, 24*time.Hour)
	orDefault(&t.forgetAfter, 30*24*time.Hour)
	orDefault(&t.releaseAfter, 10*time.Second)
	orDefault(&t.slowFlush, time.Second)
	orDefault(&t.gapStorm, 100)
	if t.openStore == nil {
		t.openStore = storage.OpenPebble
	}
	return t
}
