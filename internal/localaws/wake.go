package localaws

import "time"

// job is what happens when its time has come, with Cloud.mu held: a small struct that says what it is about. It is data and
// no function, so that a world can be saved with all that is under way in it.
type job interface{ run(c *Cloud) }

// wake is a job and its time. Guarded by Cloud.mu.
type wake struct {
	c      *Cloud
	serial uint64 // in the order in which they were made, which is that of wakes that are due at once
	due    time.Time
	job    job
	cancel func() // of the clock
}

// after does a job once, d from now, with c.mu held. It is called, and stop must be called, with c.mu held too: once stop has
// returned, the job is not done any more, even where its timer had already fired and was waiting for the lock.
func (c *Cloud) after(d time.Duration, what job) *wake {
	c.wakes++
	w := &wake{c: c, serial: c.wakes, due: c.clock.Now().Add(max(d, 0)), job: what}
	c.waiting[w.serial] = w
	w.arm(d)
	return w
}

// arm sets the clock.
func (w *wake) arm(d time.Duration) {
	w.cancel = w.c.clock.AfterFunc(d, func() {
		w.c.mu.Lock()
		defer w.c.mu.Unlock()
		if w.c.waiting[w.serial] != w || w.c.closed {
			return
		}
		delete(w.c.waiting, w.serial)
		w.c.event(func() { w.job.run(w.c) })
	})
}

// stop prevents the job if it was not done yet.
func (w *wake) stop() {
	if w.c.waiting[w.serial] == w {
		delete(w.c.waiting, w.serial)
		w.cancel()
	}
}
