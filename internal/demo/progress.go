package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// progressLine shows how the demo goes: one line that is written over on a
// terminal, one every few seconds elsewhere.
type progressLine struct {
	w        io.Writer
	terminal bool
	length   time.Duration
	begin    time.Time
	allowed  atomic.Int64
	denied   atomic.Int64
	cut      atomic.Bool
	stop     chan struct{}
	wg       sync.WaitGroup
}

func newProgress(w io.Writer, length time.Duration) *progressLine {
	p := &progressLine{w: w, length: length, begin: time.Now(), stop: make(chan struct{})}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			p.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	p.wg.Go(p.run)
	return p
}

func (p *progressLine) count(allowed bool) {
	if allowed {
		p.allowed.Add(1)
		return
	}
	p.denied.Add(1)
}

func (p *progressLine) run() {
	every := 5 * time.Second
	if p.terminal {
		every = 250 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.show()
		case <-p.stop:
			p.show()
			if p.terminal {
				fmt.Fprintln(p.w)
			}
			return
		}
	}
}

func (p *progressLine) end() {
	close(p.stop)
	p.wg.Wait()
}

func (p *progressLine) show() {
	const width = 30
	passed := time.Since(p.begin)
	full := min(int(width*passed/p.length), width)
	state := ""
	if p.cut.Load() {
		state = "  " + nodeName(nodeCount-1) + " is cut off"
	}
	line := fmt.Sprintf("%5.1fs [%s%s] %9s allowed %9s denied%s", passed.Seconds(), strings.Repeat("=", full),
		strings.Repeat(" ", width-full), thousands(p.allowed.Load()), thousands(p.denied.Load()), state)
	if p.terminal {
		fmt.Fprintf(p.w, "\r%-90s", line)
		return
	}
	fmt.Fprintln(p.w, line)
}
