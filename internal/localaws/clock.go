package localaws

import (
	"container/heap"
	"sync"
	"time"
)

// Clock is where the local AWS takes its time from. Every delay of the simulated cloud (boot, health checks,
// draining, eventual consistency, throttling) runs on it.
type Clock interface {
	// Now is the current time of the simulated world.
	Now() time.Time
	// AfterFunc calls f once, d from now. stop prevents the call if it has not begun; it may be called many times.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// RealClock is the wall clock.
func RealClock() Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// VirtualClock stands still until it is told to advance. It is safe for concurrent use.
type VirtualClock struct {
	advancing sync.Mutex // one Advance at a time

	mu     sync.Mutex
	now    time.Time
	serial uint64
	queue  timerQueue
}

// NewVirtualClock returns a clock that reads start.
func NewVirtualClock(start time.Time) *VirtualClock {
	return &VirtualClock{now: start}
}

// Now is the time that the clock was last advanced to.
func (v *VirtualClock) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// AfterFunc schedules f. Delays of zero or less are due at once, but run in the next Advance and never in the
// caller's own stack, so that a caller may hold locks which f takes.
func (v *VirtualClock) AfterFunc(d time.Duration, f func()) func() {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.push(v.now.Add(max(d, 0)), f)
}

// At schedules f for a moment. It is for clocks that are driven by another one and may trail it.
func (v *VirtualClock) At(due time.Time, f func()) func() {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.push(due, f)
}

// push is called with v.mu held.
func (v *VirtualClock) push(due time.Time, f func()) func() {
	v.serial++
	t := &timer{due: due, serial: v.serial, f: f}
	heap.Push(&v.queue, t)
	return func() { v.cancel(t) }
}

func (v *VirtualClock) cancel(t *timer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if t.index >= 0 {
		heap.Remove(&v.queue, t.index)
	}
}

// Next is when the next callback is due, false if none is waiting. A test that jumps from one Next to the following
// one sees every step of the world.
func (v *VirtualClock) Next() (time.Time, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.queue) == 0 {
		return time.Time{}, false
	}
	return v.queue[0].due, true
}

// Advance moves the clock by d and runs what falls due on the way, in order of time and, at equal times, in order of
// registration; callbacks may register more. Each callback sees the time at which it was due. Callbacks run in the
// caller's goroutine without any lock of the clock held; they must not call Advance.
func (v *VirtualClock) Advance(d time.Duration) {
	v.advancing.Lock()
	defer v.advancing.Unlock()
	v.mu.Lock()
	target := v.now.Add(max(d, 0))
	for len(v.queue) > 0 && !v.queue[0].due.After(target) {
		t := heap.Pop(&v.queue).(*timer)
		if t.due.After(v.now) {
			v.now = t.due
		}
		v.mu.Unlock()
		t.f()
		v.mu.Lock()
	}
	v.now = target
	v.mu.Unlock()
}

// timer is one registered callback; index is -1 once it left the queue.
type timer struct {
	due    time.Time
	serial uint64
	f      func()
	index  int
}

// timerQueue is a heap by time and then by registration.
type timerQueue []*timer

func (q timerQueue) Len() int { return len(q) }

func (q timerQueue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].serial < q[j].serial
	}
	return q[i].due.Before(q[j].due)
}

func (q timerQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *timerQueue) Push(x any) {
	t := x.(*timer)
	t.index = len(*q)
	*q = append(*q, t)
}

func (q *timerQueue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	t.index = -1
	return t
}
