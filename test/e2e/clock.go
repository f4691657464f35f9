package e2e

import (
	"container/heap"
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
// not: calls can take time here. Callbacks run one after the other, in the order of their times and then of registration.
type Bubble struct {
	running sync.Mutex // one callback at a time

	mu     sync.Mutex
	serial uint64
	queue  alarms
	armed  *time.Timer
}

// Now implements Clock.
func (b *Bubble) Now() time.Time { return time.Now() }

// AfterFunc implements Clock.
func (b *Bubble) AfterFunc(d time.Duration, f func()) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serial++
	a := &alarm{due: time.Now().Add(max(d, 0)), serial: b.serial, f: f}
	heap.Push(&b.queue, a)
	b.arm()
	return func() { b.cancel(a) }
}

func (b *Bubble) cancel(a *alarm) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.index >= 0 {
		heap.Remove(&b.queue, a.index)
		b.arm()
	}
}

// arm sets the one timer to the first callback. Called with b.mu held.
func (b *Bubble) arm() {
	if b.armed != nil {
		b.armed.Stop()
		b.armed = nil
	}
	if len(b.queue) > 0 {
		b.armed = time.AfterFunc(time.Until(b.queue[0].due), b.run)
	}
}

// run calls what is due.
func (b *Bubble) run() {
	b.running.Lock()
	defer b.running.Unlock()
	for {
		b.mu.Lock()
		if len(b.queue) == 0 || b.queue[0].due.After(time.Now()) {
			b.arm()
			b.mu.Unlock()
			return
		}
		a := heap.Pop(&b.queue).(*alarm)
		b.mu.Unlock()
		a.f()
	}
}

// Next implements Clock.
func (b *Bubble) Next() (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return time.Time{}, false
	}
	return b.queue[0].due, true
}

// Advance implements Clock.
func (b *Bubble) Advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// alarm is one registered callback; index is -1 once it left the queue.
type alarm struct {
	due    time.Time
	serial uint64
	f      func()
	index  int
}

// alarms is a heap by time and then by registration.
type alarms []*alarm

func (q alarms) Len() int { return len(q) }

func (q alarms) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].serial < q[j].serial
	}
	return q[i].due.Before(q[j].due)
}

func (q alarms) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *alarms) Push(x any) {
	a := x.(*alarm)
	a.index = len(*q)
	*q = append(*q, a)
}

func (q *alarms) Pop() any {
	last := len(*q) - 1
	a := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	a.index = -1
	return a
}
