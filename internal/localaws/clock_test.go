package localaws

import (
	"slices"
	"testing"
	"time"
)

func TestVirtualClockRunsCallbacksInOrder(t *testing.T) {
	clock := NewVirtualClock(testStart)
	var got []string
	note := func(name string) func() {
		return func() { got = append(got, name+" at "+clock.Now().Sub(testStart).String()) }
	}
	clock.AfterFunc(3*time.Second, note("late"))
	clock.AfterFunc(time.Second, func() {
		note("first")()
		clock.AfterFunc(time.Second, note("child"))
		clock.AfterFunc(time.Hour, note("never"))
	})
	clock.AfterFunc(2*time.Second, note("tie"))
	cancelled := clock.AfterFunc(2*time.Second, note("cancelled"))
	cancelled()
	cancelled()
	clock.AfterFunc(0, note("now"))

	if len(got) != 0 {
		t.Errorf("callbacks ran before the clock advanced: %v", got)
	}
	clock.Advance(3 * time.Second)
	want := []string{"now at 0s", "first at 1s", "tie at 2s", "child at 2s", "late at 3s"}
	if !slices.Equal(got, want) {
		t.Errorf("callbacks ran as %v, want %v", got, want)
	}
	if now := clock.Now(); !now.Equal(testStart.Add(3 * time.Second)) {
		t.Errorf("the clock reads %v", now)
	}
	if next, ok := clock.Next(); !ok || !next.Equal(testStart.Add(time.Second+time.Hour)) {
		t.Errorf("the next callback is due at %v, %v", next, ok)
	}
}

func TestVirtualClockNextIsEmpty(t *testing.T) {
	clock := NewVirtualClock(testStart)
	stop := clock.AfterFunc(time.Second, func() {})
	stop()
	if next, ok := clock.Next(); ok {
		t.Errorf("a callback is due at %v after the only one was stopped", next)
	}
}

// testJob is a job that no world needs to keep.
type testJob func()

func (j testJob) run(*Cloud) { j() }

func TestAfterIsNotRunOnceStopped(t *testing.T) {
	s := newSim(t)
	ran := 0
	s.mu.Lock()
	stop := s.after(time.Second, testJob(func() { ran++ })).stop
	s.after(time.Second, testJob(func() { ran += 10 }))
	// The first callback fires at the same moment and stops the third: what is stopped under the lock never runs.
	var third func()
	s.after(time.Second, testJob(func() { third() }))
	third = s.after(time.Second, testJob(func() { ran += 100 })).stop
	stop()
	s.mu.Unlock()
	s.clock.Advance(time.Minute)
	if ran != 10 {
		t.Errorf("ran %d, want 10: a stopped callback ran, or another did not", ran)
	}
}

func TestCloseEndsTimers(t *testing.T) {
	s := newSim(t)
	ran, closed := false, 0
	s.mu.Lock()
	s.after(time.Second, testJob(func() { ran = true }))
	s.onClose(func() { closed++ })
	s.mu.Unlock()
	s.Close()
	s.Close()
	s.clock.Advance(time.Minute)
	if ran || closed != 1 {
		t.Errorf("after Close: callback ran %v, closers ran %d times", ran, closed)
	}
}
