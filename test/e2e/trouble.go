package e2e

import (
	"sync/atomic"
	"time"
)

// trouble is what no scenario reckons with: somebody else kills its processes, or lets something go wrong with what they talk to. What a
// scenario says of servers and pools holds all the same. What people are told, and how soon things happen, is counted from the end of it:
// a process that begins knows nothing of what the one before it tried, and has to try for itself before it can say what is wrong.
type trouble struct {
	over atomic.Pointer[func() bool] // whether it is; nil: there was none, but for kills
	last atomic.Int64                // when there was trouble last, in ns since 1970; 0: never
}

// met notes that there is trouble now.
func (t *trouble) met(now time.Time) { t.last.Store(now.UnixNano()) }

// seen notes it where it is not over.
func (t *trouble) seen(now time.Time) {
	if over := t.over.Load(); over != nil && !(*over)() {
		t.met(now)
	}
}

// since is when there was trouble last; zero: never.
func (t *trouble) since() (at time.Time) {
	if last := t.last.Load(); last != 0 {
		at = time.Unix(0, last)
	}
	return at
}

// Hinder tells of trouble from now on, until over reports that it has ended: nobody asks meanwhile whether the world is at rest, and calls
// whose records were not kept may be made again. It is called by any goroutine.
func (w *World) Hinder(over func() bool) {
	w.crashed.Store(true)
	w.trouble.met(w.Clock.Now())
	w.trouble.over.Store(&over)
}

// troubled reports whether there was any.
func (w *World) troubled() bool { return !w.trouble.since().IsZero() }

// by is when what began at a moment has to have come: the limit is counted anew from the last trouble.
func (w *World) by(began time.Time, limit time.Duration) time.Time {
	if last := w.trouble.since(); last.After(began) {
		began = last
	}
	return began.Add(limit)
}

// recovers reports whether trouble was so short a time ago that people need not be told of what is wrong yet.
func (w *World) recovers() bool {
	return w.troubled() && w.Clock.Now().Before(w.by(time.Time{}, patched))
}
