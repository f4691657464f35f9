package awscloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
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

// unusedAfter is how long a key is kept that is not read: a pool that left every spec, an access key of yesterday. It is longer than
// any answer is good for.
const unusedAfter = 3 * time.Hour

// shared reads something once for everybody who asks for it within its age, per key.
//
// At most one reading of a key and lane is under way and at most one is waiting to follow, however many callers there are:
//
//	asked with an age      → the last good reading, or one under way, if it began recently enough
//	asked for now (age 0)  → a reading that begins after the question: the one that waits, or a new one
//
// Nobody joins a reading under way, or waits for its end, that is less urgent than the question: it may stand in the queue
// for its turn (limiter.go) behind everything else of its lane, and a rollback would stand there with it.
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

// readings are those of one key.
type readings[T any] struct {
	last    *reading[T]   // the newest good one, or nil
	running []*reading[T] // of different lanes
	waiting *reading[T]   // or nil
	tried   time.Time     // when the newest began, good or not
}

// blocks reports whether a reading of the lane has to wait: for one that is as urgent.
func (of *readings[T]) blocks(lane cloud.Lane) bool {
	return slices.ContainsFunc(of.running, func(r *reading[T]) bool { return r.lane() <= lane })
}

// question is how old a reading may be, and whether it answers although we changed something after it began.
type question struct {
	oldest    time.Time
	overtaken bool
}

// find is a reading that answers a question of the lane, or nil.
func (of *readings[T]) find(lane cloud.Lane, asked question) *reading[T] {
	if of.last != nil && of.last.answers(asked) {
		return of.last
	}
	at := slices.IndexFunc(of.running, func(r *reading[T]) bool { return r.lane() <= lane && r.answers(asked) })
	if at < 0 {
		return nil
	}
	return of.running[at]
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

func (r *reading[T]) lane() cloud.Lane { return cloud.LaneOf(r.ctx) }

func (r *reading[T]) answers(asked question) bool {
	return (asked.overtaken || !r.overtaken) && !r.began.Before(asked.oldest)
}

// get answers with a reading that is at most maxAge old.
func (s *shared[T]) get(ctx context.Context, key string, maxAge time.Duration) (T, error) {
	return s.choose(ctx, key, maxAge, false).wait(ctx)
}

// getOvertaken answers like get, also with a reading after whose beginning we changed something.
func (s *shared[T]) getOvertaken(ctx context.Context, key string, maxAge time.Duration) (T, error) {
	return s.choose(ctx, key, maxAge, true).wait(ctx)
}

// wait gives what the reading came to, or the end of ctx.
func (r *reading[T]) wait(ctx context.Context) (T, error) {
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
	if len(of.running) == 0 && of.waiting == nil && s.clock.Now().Sub(of.tried) >= every {
		of.waiting = newReading[T](cloud.WithLane(ctx, cloud.LaneBackground))
		s.begin(key, of)
	}
	if of.last == nil {
		return value, began, false
	}
	return of.last.value, of.last.began, true
}

// held is the last good reading, however old; ok is false where there is none.
func (s *shared[T]) held(key string) (value T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of := s.keys[key]; of != nil && of.last != nil {
		return of.last.value, true
	}
	return value, false
}

// forget drops the last good reading: it is known not to hold any more.
func (s *shared[T]) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of := s.keys[key]; of != nil {
		of.last = nil
	}
}

// of finds or makes the readings of a key; a new one takes the place of those that nobody asks for any more. Called with s.mu
// held.
func (s *shared[T]) of(key string) *readings[T] {
	if of := s.keys[key]; of != nil {
		return of
	}
	now := s.clock.Now()
	maps.DeleteFunc(s.keys, func(_ string, of *readings[T]) bool {
		return len(of.running) == 0 && of.waiting == nil && now.Sub(of.tried) > unusedAfter
	})
	if s.keys == nil {
		s.keys = map[string]*readings[T]{}
	}
	of := &readings[T]{}
	s.keys[key] = of
	return of
}

func newReading[T any](ctx context.Context) *reading[T] {
	return &reading[T]{ctx: context.WithoutCancel(ctx), done: make(chan struct{})}
}

func (s *shared[T]) choose(ctx context.Context, key string, maxAge time.Duration, overtaken bool) *reading[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.of(key)
	if maxAge > 0 {
		if r := of.find(cloud.LaneOf(ctx), question{s.clock.Now().Add(-maxAge), overtaken}); r != nil {
			return r
		}
	}
	if of.waiting == nil {
		of.waiting = newReading[T](ctx)
	}
	next := of.waiting
	if cloud.LaneOf(ctx) < next.lane() {
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
		if of.last != nil {
			of.last.overtaken = true
		}
		for _, r := range of.running {
			r.overtaken = true
		}
	}
}

// begin starts the reading that waits, unless one as urgent is under way. Called with s.mu held.
func (s *shared[T]) begin(key string, of *readings[T]) {
	if of.waiting == nil || of.blocks(of.waiting.lane()) {
		return
	}
	r := of.waiting
	of.running, of.waiting = append(of.running, r), nil
	r.began = s.clock.Now()
	of.tried = r.began
	go func() {
		ctx, cancel := context.WithTimeout(r.ctx, s.limit)
		defer cancel()
		r.value, r.err = s.guarded(ctx, key)
		s.mu.Lock()
		defer s.mu.Unlock()
		of.running = slices.DeleteFunc(of.running, func(other *reading[T]) bool { return other == r })
		if r.err == nil && (of.last == nil || !r.began.Before(of.last.began)) {
			of.last = r
		}
		close(r.done)
		s.begin(key, of)
	}()
}

// guarded turns a panic of a reading into its error: it runs outside the reach of whoever asked.
func (s *shared[T]) guarded(ctx context.Context, key string) (value T, err error) {
	err = contained(fmt.Sprintf("reading %q", key), func() (err error) {
		value, err = s.read(ctx, key)
		return err
	})
	return value, err
}

// contained makes a call that has a goroutine of its own, and turns a panic of it into its error.
func contained(what string, call func() error) error {
	err := cloud.Contain(call)
	if defect, is := errors.AsType[*cloud.Defect](err); is {
		// For whoever looks for the defect; the error is for status, and there may be nobody who waits for it.
		fmt.Fprintf(os.Stderr, "Slipway: panic while %s: %v\n%s\n", what, defect, defect.Stack)
	}
	return err
}
