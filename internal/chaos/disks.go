package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/netlab"
)

// diskSize is room for the store, its ballast file and a moment of load.
const diskSize = 192 << 20

// onSmallDisk gives the last node a disk of its own.
func onSmallDisk(_ context.Context, t *trial) error {
	disk, err := netlab.NewDisk(diskSize)
	if err != nil {
		return err
	}
	t.disk = disk
	t.nodes[len(t.nodes)-1].SetDataDir(filepath.Join(disk.Path(), "data"))
	return nil
}

// filling takes the last byte of the node's disk, and gives it back.
func filling(ctx context.Context, t *trial) error {
	n := t.nodes[len(t.nodes)-1]
	filler := filepath.Join(t.disk.Path(), "filler")
	if err := fill(filler); err != nil {
		return err
	}
	if err := pause(ctx, t.scale.Fault); err != nil {
		return err
	}
	select {
	case <-n.Process().Exited():
		return fmt.Errorf("%s ended on a full disk", n.Name)
	default:
	}
	if full, err := n.Metric(ctx, "clawd_durability_degraded"); err != nil || full != 1 {
		return fmt.Errorf("%s does not say that its disk is full: %v, %w", n.Name, full, err)
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return fleet.Until(ctx, func(ctx context.Context) error {
		full, err := n.Metric(ctx, "clawd_durability_degraded")
		if err == nil && full != 0 {
			err = errors.New("still memory only")
		}
		return err
	})
}

// fill writes until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); err != nil {
			break // full
		}
	}
	return f.Close()
}

// withoutLast leaves the last node for later.
func withoutLast(_ context.Context, t *trial) error {
	t.spare = t.nodes[len(t.nodes)-1]
	t.nodes = t.nodes[:len(t.nodes)-1]
	return nil
}

// copying runs a second node on a copy of a running node's directory, as a
// snapshot of its disk would have it. Both claim to be the same node; either may
// end because of that, with a sentence, but nothing it acknowledged may be lost.
func copying(ctx context.Context, t *trial) error {
	if err := copyDir(t.nodes[1].DataDir(), t.spare.DataDir()); err != nil {
		return err
	}
	if err := t.spare.Launch(); err != nil {
		return err
	}
	t.crashes++ // the copy cannot know whether what it had reserved was consumed
	asking, done := context.WithTimeout(ctx, t.scale.Fault)
	defer done()
	t.fleet.Offer(asking, fleet.Load{
		Nodes: []*fleet.Node{t.spare}, PerSecond: 30, Agents: []string{asyncAgent, reserveAgent, syncAgent}, Seed: 9,
	})
	return errors.Join(t.spare.Stop(), t.revive(ctx, t.nodes[1]))
}

// revive starts a node that has ended by itself, as a service manager does.
func (t *trial) revive(ctx context.Context, n *fleet.Node) error {
	select {
	case <-n.Process().Exited():
		return t.start(ctx, n)
	default:
		return nil
	}
}

// copyDir copies a directory that is being written to.
func copyDir(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // just deleted
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o750)
		}
		return copyFile(path, target)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), in.Close())
}

// flipping damages the tables of a node that is down. Its peers have everything,
// so that it comes back without a loss.
func flipping(ctx context.Context, t *trial) error {
	n := t.nodes[1]
	if err := n.Stop(); err != nil {
		return err
	}
	damaged, err := FlipBits(filepath.Join(n.DataDir(), "store"), "*.sst")
	if err != nil {
		return err
	}
	if damaged == 0 {
		return errors.New("there is no table to damage")
	}
	return t.start(ctx, n)
}

// FlipBits flips a bit in seven places of every file that matches, and returns
// in how many files.
func FlipBits(dir, glob string) (damaged int, err error) {
	files, err := filepath.Glob(filepath.Join(dir, glob))
	if err != nil {
		return 0, err
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return damaged, err
		}
		if len(b) < 64 {
			continue
		}
		for i := 1; i < 8; i++ {
			b[i*len(b)/8] ^= 0x10
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return damaged, err
		}
		damaged++
	}
	return damaged, nil
}
