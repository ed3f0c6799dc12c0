package netlab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Disk is a small file system in memory. It is mounted nowhere: it is reached
// through this process, and vanishes with it or when it is closed.
type Disk struct{ root *os.File }

// NewDisk makes a disk of a size in bytes.
func NewDisk(size int64) (*Disk, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("netlab: no tmpfs can be made here: %w (CAP_SYS_ADMIN is needed)", err)
	}
	defer func() { _ = unix.Close(fs) }() // the mount does not need it
	if err := unix.FsconfigSetString(fs, "size", fmt.Sprint(size)); err != nil {
		return nil, fmt.Errorf("netlab: size of a tmpfs: %w", err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("netlab: create a tmpfs: %w", err)
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("netlab: mount a tmpfs: %w", err)
	}
	return &Disk{os.NewFile(uintptr(root), "tmpfs")}, nil
}

// Path is where other processes of the same user find the disk, as long as it
// is open.
func (d *Disk) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), d.root.Fd()) }

// Close lets go of the disk; it is gone once nobody uses a file on it.
func (d *Disk) Close() error { return d.root.Close() }
