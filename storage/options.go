package storage

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// DefaultCacheBytes is the block cache of an Options without one.
const DefaultCacheBytes = 32 << 20

// Options tune OpenPebble. The zero value is right for production but for the
// hooks.
type Options struct {
	// Logger receives warnings and errors of the store, and Pebble's own
	// messages at debug level. Default: silent.
	Logger *slog.Logger
	// CacheBytes is the size of the block cache, outside of the Go heap. Default
	// 32 MiB; where many agents are cold, about a quarter of the memory limit.
	CacheBytes int64
	// MemTableBytes is the size of a memory table, and with it of the log a
	// restart reads. Default 16 MiB. Small ones make Pebble rotate logs, write
	// tables and merge them on the little data of a test.
	MemTableBytes uint64
	// FS is where the directory is. Default: the operating system's.
	FS vfs.FS
	// OnFatal is told, once, why the Store has failed. It runs on whatever
	// goroutine found out, which may hold locks of Pebble: it must return at
	// once and must not call the Store. Closing a channel is what it is for.
	OnFatal func(error)
	// OnDiskFull is called when a write met a full disk, before it is tried
	// once more: the moment to release a Ballast. Writes wait for it. The same
	// rules as for OnFatal.
	OnDiskFull func()
	// ReadOnly opens an existing directory without changing it. Commits are
	// refused.
	ReadOnly bool

	tune func(*pebble.Options) // of tests: small tables, so that all machinery runs
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = memTableBytes
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	return o
}
