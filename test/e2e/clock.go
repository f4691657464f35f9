package e2e

import (
	"sync"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// Clock is the time of a world.
type Clock interface {
	localaws.Clock
	// Next is when the next callback is due, false if none waits.
	Next() (time.Time, bool)
	// Advance lets time pass, and runs what falls due on the way.
	Advance(d time.Duration)
}

// Bubble is the clock of a synctest bubble. It goes on by itself while a pass waits for an answer, which a VirtualClock does
// not: calls can take time here. It is a VirtualClock that the bubble's time drives, so callbacks run one after the other, in the
// order of their times and then of registration.
type Bubble struct {
	queue *localaws.VirtualClock

	mu    sync.Mutex
	armed *time.Timer
}

// NewBubble makes the clock of the bubble that it is called in.
func NewBubble() *Bubble { return &Bubble{queue: localaws.NewVirtualClock(time.Now())} }

// Now implements Clock.
func (b *Bubble) Now() time.Time { return time.Now() }

// AfterFunc implements Clock.
func (b *Bubble) AfterFunc(d time.Duration, f func()) func() {
	stop := b.queue.At(time.Now().Add(max(d, 0)), f)
	b.arm()
	return stop
}

// arm sets the one timer to the first callback.
func (b *Bubble) arm() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.armed != nil {
		b.armed.Stop()
		b.armed = nil
	}
	if next, waits := b.queue.Next(); waits {
		b.armed = time.AfterFunc(time.Until(next), b.run)
	}
}

// run calls what is due.
func (b *Bubble) run() {
	b.queue.Advance(time.Since(b.queue.Now()))
	b.arm()
}

// Next implements Clock.
func (b *Bubble) Next() (time.Time, bool) { return b.queue.Next() }

// Advance implements Clock.
func (b *Bubble) Advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// Wall is the same in real time.
type Wall struct{ *Bubble }

// NewWall makes the clock on the wall.
func NewWall() Wall { return Wall{NewBubble()} }

// Advance implements Clock: it waits.
func (Wall) Advance(d time.Duration) { <-time.After(d) }
