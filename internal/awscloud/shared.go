package awscloud

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"slipway.dev/slipway/internal/cloud"
)

// Clock is where ages and waits take their time from. AfterFunc calls f once, d from now; stop prevents it.
type Clock interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func()) (stop func())
}

// wallClock is the time of day.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) AfterFunc(d time.Duration, f func()) func() {
	timer := time.AfterFunc(d, f)
	return func() { timer.Stop() }
}

// shared reads something once for everybody who asks for it within its age, per key.
//
// At most one reading of a key is under way and at most one is waiting to follow it, however many callers there are:
//
//	asked with an age      → the last good reading, or the one under way, if it began recently enough
//	asked for now (age 0)  → a reading that begins after the question: the one that waits, or a new one
//
// Whoever can do with an old answer asks for the latest: it waits for nobody, and the next reading runs behind its back.
//
// Ages count from when a reading began: what AWS changed while it ran may or may not be in it. A failed reading is told
// to those who waited for it and to nobody else. Answers are shared, and must not be changed.
type shared[T any] struct {
	clock Clock
	// limit ends a reading that hangs; callers may give up earlier, the reading goes on for the others.
	limit time.Duration
	read  func(ctx context.Context, key string) (T, error)

	mu   sync.Mutex
	keys map[string]*readings[T]
}

// readings are those of one key; each may be nil.
type readings[T any] struct {
	last, running, waiting *reading[T]
	tried                  time.Time // when the newest began, good or not
}

// reading is one reading; value and err are set when done is closed.
type reading[T any] struct {
	ctx   context.Context // of the most urgent who wait for it: its lane counts, its end does not
	began time.Time
	done  chan struct{}
	value T
	err   error
	// overtaken: we changed something after it began, so it may not show that.
	overtaken bool
}

// get answers with a reading that is at most maxAge old.
func (s *shared[T]) get(ctx context.Context, key string, maxAge time.Duration) (T, error) {
	r := s.choose(ctx, key, maxAge)
	select {
	case <-r.done:
		return r.value, r.err
	default:
	}
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// latest answers at once with the last good reading, however old it is, and when that began; known is false while there is
// none. The next one begins behind the caller's back, as background work, every so often, whether the last was good or not.
func (s *shared[T]) latest(ctx context.Context, key string, every time.Duration) (value T, began time.Time, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.of(key)
	if of.running == nil && of.waiting == nil && s.clock.Now().Sub(of.tried) >= every {
		of.waiting = newReading[T](cloud.WithLane(ctx, cloud.LaneBackground))
		s.begin(key, of)
	}
	if of.last == nil {
		return value, began, false
	}
	return of.last.value, of.last.began, true
}

// of finds or makes the readings of a key. Called with s.mu held.
func (s *shared[T]) of(key string) *readings[T] {
	if s.keys == nil {
		s.keys = map[string]*readings[T]{}
	}
	of := s.keys[key]
	if of == nil {
		of = &readings[T]{}
		s.keys[key] = of
	}
	return of
}

func newReading[T any](ctx context.Context) *reading[T] {
	return &reading[T]{ctx: context.WithoutCancel(ctx), done: make(chan struct{})}
}

func (s *shared[T]) choose(ctx context.Context, key string, maxAge time.Duration) *reading[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.of(key)
	oldest := s.clock.Now().Add(-maxAge)
	for _, r := range []*reading[T]{of.last, of.running} {
		if r != nil && maxAge > 0 && !r.overtaken && !r.began.Before(oldest) {
			return r
		}
	}
	if of.waiting == nil {
		of.waiting = newReading[T](ctx)
	}
	next := of.waiting
	if cloud.LaneOf(ctx) < cloud.LaneOf(next.ctx) {
		next.ctx = context.WithoutCancel(ctx)
	}
	s.begin(key, of)
	return next
}

// overtake keeps readings that began before now from answering any more: after a change of our own, nobody should see the
// world as it was before it, and make the change again.
func (s *shared[T]) overtake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.keys {
		for _, r := range []*reading[T]{of.last, of.running} {
			if r != nil {
				r.overtaken = true
			}
		}
	}
}

// begin starts the reading that waits, unless one is under way. Called with s.mu held.
func (s *shared[T]) begin(key string, of *readings[T]) {
	if of.running != nil || of.waiting == nil {
		return
	}
	r := of.waiting
	of.running, of.waiting = r, nil
	r.began = s.clock.Now()
	of.tried = r.began
	go func() {
		ctx, cancel := context.WithTimeout(r.ctx, s.limit)
		defer cancel()
		r.value, r.err = s.guarded(ctx, key)
		s.mu.Lock()
		defer s.mu.Unlock()
		of.running = nil
		if r.err == nil {
			of.last = r
		}
		close(r.done)
		s.begin(key, of)
	}()
}

// guarded turns a panic of a reading into its error: it runs outside the reach of whoever asked.
func (s *shared[T]) guarded(ctx context.Context, key string) (value T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			debug.PrintStack() // for whoever looks for the defect; the error is for status, too
			err = fmt.Errorf("a defect in Slipway stopped a reading of %q: %v", key, cause)
		}
	}()
	return s.read(ctx, key)
}
