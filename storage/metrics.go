package storage

import "time"

// Metrics are figures of a Store for export; all are zero on an engine without
// files. Counters count since the Store was opened.
type Metrics struct {
	DiskBytes       uint64 // all files of the store
	WALBytes        uint64 // live log files
	WALWritten      uint64 // bytes written to logs (counter)
	MemTableBytes   uint64
	L0Files         int64
	L0Sublevels     int64
	ReadAmp         int
	CompactionDebt  uint64 // estimated bytes still to be compacted
	Compactions     int64  // counter
	Flushes         int64  // of memory tables (counter)
	CacheBytes      int64
	CacheHits       int64 // counter
	CacheMisses     int64 // counter
	Tombstones      uint64
	Snapshots       int           // open views
	Stalls          uint64        // times that writes stalled (counter)
	StallTime       time.Duration // in stalls that are over (counter)
	SlowWrites      uint64        // file operations that took over 5 s (counter)
	BackgroundFails uint64        // flushes and compactions to be tried again (counter)
	Failed          bool          // see ErrFailed
}

// meter is an engine that has figures.
type meter interface{ metrics() Metrics }

// Metrics reads the present figures. It is cheap enough for every scrape.
func (s *Store) Metrics() Metrics {
	if m, ok := s.engine.(meter); ok {
		return m.metrics()
	}
	return Metrics{}
}

func (e *pebbleEngine) metrics() Metrics {
	m := Metrics{
		Stalls:          e.events.stalls.Load(),
		StallTime:       time.Duration(e.events.stallNanos.Load()),
		SlowWrites:      e.events.slow.Load(),
		BackgroundFails: e.events.backgroundErrs.Load(),
	}
	if err := e.usable(); err != nil {
		m.Failed = e.failure.err() != nil
		return m
	}
	p := e.db.Metrics()
	m.DiskBytes = p.DiskSpaceUsage()
	m.WALBytes = p.WAL.Size
	m.WALWritten = p.WAL.BytesWritten
	m.MemTableBytes = p.MemTable.Size
	m.L0Files = p.Levels[0].TablesCount
	m.L0Sublevels = int64(p.Levels[0].Sublevels)
	m.ReadAmp = p.ReadAmp()
	m.CompactionDebt = p.Compact.EstimatedDebt
	m.Compactions = p.Compact.Count
	m.Flushes = p.Flush.Count
	m.CacheBytes = p.BlockCache.Size
	m.CacheHits = p.BlockCache.Hits
	m.CacheMisses = p.BlockCache.Misses
	m.Tombstones = p.Keys.TombstoneCount
	m.Snapshots = p.Snapshots.Count
	return m
}
