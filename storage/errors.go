package storage

import "errors"

// The kinds of failure a caller can act on. Each returned error names the path
// or the key it is about and wraps one of these.
var (
	// ErrLocked: another process, or another Store of this one, has the
	// directory open.
	ErrLocked = errors.New("the data directory is in use by another process")
	// ErrCorrupt: bytes on the disk are not what was written. The directory is
	// of no further use to this node; its peers have the data.
	ErrCorrupt = errors.New("the data is corrupt")
	// ErrUnreadable: the directory cannot be used as it is, though nothing says
	// that its data are damaged: permissions, an I/O error, a newer format.
	ErrUnreadable = errors.New("the data directory cannot be used")
	// ErrFailed: a write the engine could not take back went wrong earlier.
	// Nothing more reaches the disk; what is there is what a crash would have
	// left.
	ErrFailed = errors.New("the store has failed")
	// ErrFull: the commit was refused, untouched, because the disk is nearly
	// full (see Store.SetFull). It may be tried again.
	ErrFull = errors.New("the disk is nearly full")
	// ErrClosed: the Store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrNotEmpty: a backup or restore would write into a directory that has
	// something in it.
	ErrNotEmpty = errors.New("the target directory is not empty")
	// ErrUnsupported: the engine has no files to back up.
	ErrUnsupported = errors.New("not supported by this engine")
)
