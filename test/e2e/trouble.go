package e2e

import (
	"sync/atomic"
	"time"
)

// trouble is what no scenario reckons with: somebody else kills its processes, or lets something go wrong with what they talk to. What a
// scenario says of servers and pools holds all the same. What people are told, and how soon things happen, is counted from the end of it:
// a process that begins knows nothing of what the one before it tried, and has to try for itself before it can say what is wrong.
type trouble struct {
	over    atomic.Pointer[func() bool] // whether the hindrance is; nil: there was none
	wrong   atomic.Bool                 // it was not over when somebody looked last
	last    latest                      // when there was trouble last
	crashed latest                      // when the successor of a process that was killed began, the last one
}

// latest is a time that only goes on; zero: never.
type latest struct{ ns atomic.Int64 }

func (m *latest) note(at time.Time) {
	for was := m.ns.Load(); at.UnixNano() > was && !m.ns.CompareAndSwap(was, at.UnixNano()); was = m.ns.Load() {
	}
}

func (m *latest) at() (at time.Time) {
	if ns := m.ns.Load(); ns != 0 {
		at = time.Unix(0, ns)
	}
	return at
}

// crash notes that a process was killed, and when its successor begins.
func (t *trouble) crash(begins time.Time) {
	t.last.note(begins)
	t.crashed.note(begins)
}

// look notes a hindrance that lasts, or has ended since the last look.
func (t *trouble) look(now time.Time) {
	if t.over.Load() == nil {
		return
	}
	wrong := !t.ended()
	if t.wrong.Swap(wrong) || wrong {
		t.last.note(now)
	}
}

// ended reports whether no hindrance lasts.
func (t *trouble) ended() bool {
	over := t.over.Load()
	return over == nil || (*over)()
}

// Hinder tells of something that goes wrong from now on, until over reports that it has ended: nobody asks meanwhile whether the world is at
// rest, and calls whose records were not kept may be made again. It is called by any goroutine.
func (w *World) Hinder(over func() bool) {
	w.MayHinder(over)
	w.trouble.wrong.Store(true)
}

// MayHinder is Hinder for what may begin at any time: over says when.
func (w *World) MayHinder(over func() bool) {
	w.crashed.Store(true)
	w.trouble.over.Store(&over)
}

// troubledSince reports whether there was trouble at a time or later.
func (w *World) troubledSince(at time.Time) bool {
	last := w.trouble.last.at()
	return !last.IsZero() && !last.Before(at)
}

// troubled reports whether there was any.
func (w *World) troubled() bool { return w.troubledSince(time.Time{}) }

// crashedSince reports whether a process that began at a time or later took the place of one that was killed.
func (w *World) crashedSince(at time.Time) bool {
	last := w.trouble.crashed.at()
	return !last.IsZero() && !last.Before(at)
}

// by is when what began at a moment has to have come: the limit is counted anew from the last trouble.
func (w *World) by(began time.Time, limit time.Duration) time.Time {
	if last := w.trouble.last.at(); last.After(began) {
		began = last
	}
	return began.Add(limit)
}

// informed waits until every process has heard of what was written before, for what it has not heard of does not bind it. Watches that broke
// off are opened again half a minute later at the latest.
func (w *World) informed() {
	w.Helper()
	w.heard()
	w.calm()
	if now := w.Clock.Now(); w.troubledSince(now.Add(-reopened)) {
		w.Pass(w.by(time.Time{}, reopened).Sub(now))
	}
}

// reopened is longer than client-go waits before it watches again.
const reopened = time.Minute

// Recovers reports whether trouble was so short a time ago that people need not be told of what is wrong yet.
func (w *World) Recovers() bool { return w.troubledSince(w.Clock.Now().Add(-patched)) }
