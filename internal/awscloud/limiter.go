package awscloud

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"slipway.dev/slipway/internal/cloud"
)

// gate lets calls through at the rate that AWS allows to one service in one account and region, the most urgent first.
//
// A call needs tokens from one or more buckets (limits.go). Calls that cannot go at once wait in the order of their lanes
// and, within a lane, of their arrival. A call further back may overtake only with tokens that nobody before it waits for:
//
//	registration bucket  empty     ← the rollback's Register waits here, and is promised one token of "account"
//	account bucket       3 tokens  ← of the Describes behind it two may go, the third waits
//
// Thus a flood of background reads never delays a rollback by more than the one token that was just taken.
type gate struct {
	clock Clock
	share float64 // of the documented limits

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	queue   []*turn
	disarm  func() // ends the alarm for the next token, if one is set
}

// turn is one call that waits.
type turn struct {
	lane  cloud.Lane
	needs []need
	ready chan struct{} // closed when it may go
}

// need is so many tokens of one bucket.
type need struct {
	bucket *rate.Limiter
	tokens float64
}

// wait blocks until the call may go or ctx ends.
func (g *gate) wait(ctx context.Context, lane cloud.Lane, limits []limit) error {
	t := g.enter(lane, limits)
	select {
	case <-t.ready:
		return nil
	case <-ctx.Done():
	}
	g.giveUp(t)
	return ctx.Err()
}

// enter gives a call its place in the queue. The lock goes back even if this panics: whoever calls puts a panic aside, and everybody
// else waits at this gate, too.
func (g *gate) enter(lane cloud.Lane, limits []limit) *turn {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := &turn{lane: lane, ready: make(chan struct{})}
	for _, l := range limits {
		bucket := g.bucket(l)
		t.needs = append(t.needs, need{bucket, min(l.cost(), float64(bucket.Burst()))})
	}
	at := len(g.queue)
	for at > 0 && g.queue[at-1].lane > lane {
		at--
	}
	g.queue = slices.Insert(g.queue, at, t)
	g.serve()
	return t
}

// giveUp takes a call out of the queue that waits no more.
func (g *gate) giveUp(t *turn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = slices.DeleteFunc(g.queue, func(other *turn) bool { return other == t })
	g.serve() // what was promised to this turn is free again
}

// serve lets through whoever can go and sets an alarm for the next. Called with g.mu held.
func (g *gate) serve() {
	if g.disarm != nil {
		g.disarm()
		g.disarm = nil
	}
	now := g.clock.Now()
	promised := map[*rate.Limiter]float64{}
	next := time.Duration(math.MaxInt64)
	g.queue = slices.DeleteFunc(g.queue, func(t *turn) bool {
		delay := t.delay(now, promised)
		if delay > 0 {
			next = min(next, delay)
			for _, n := range t.needs {
				promised[n.bucket] += n.tokens
			}
			return false
		}
		for _, n := range t.needs {
			n.bucket.AllowN(now, int(n.tokens))
		}
		close(t.ready)
		return true
	})
	if len(g.queue) > 0 {
		g.disarm = g.clock.AfterFunc(next, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.serve()
		})
	}
}

// delay is how long it takes until all buckets have what this turn and those before it need; zero: it can go now.
func (t *turn) delay(now time.Time, promised map[*rate.Limiter]float64) time.Duration {
	var longest time.Duration
	for _, n := range t.needs {
		missing := promised[n.bucket] + n.tokens - n.bucket.TokensAt(now)
		if missing <= 0 {
			continue
		}
		// Rounded up, or the alarm would ring a hair too early and find nothing.
		wait := time.Duration(math.Ceil(missing/float64(n.bucket.Limit())*1000)) * time.Millisecond
		longest = max(longest, wait)
	}
	return longest
}

// bucket finds or makes the bucket of a limit. Called with g.mu held.
func (g *gate) bucket(l limit) *rate.Limiter {
	bucket, ok := g.buckets[l.name]
	if !ok {
		burst := max(1, int(l.burst*g.share))
		bucket = rate.NewLimiter(rate.Limit(l.refill*g.share), burst)
		if g.buckets == nil {
			g.buckets = map[string]*rate.Limiter{}
		}
		g.buckets[l.name] = bucket
	}
	return bucket
}

// refused takes from every bucket of a call what it cannot have had: AWS said that one of them had too few tokens, because
// others of the account (a console, a pipeline) spend them too. It does not say which one; the next calls must not run into
// it with the tokens of another.
func (g *gate) refused(limits []limit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	for _, l := range limits {
		bucket := g.bucket(l)
		if surplus := int(bucket.TokensAt(now) - (l.cost() - 1)); surplus > 0 {
			bucket.AllowN(now, surplus)
		}
	}
}

// gates are those of one account in one region, by service. They are shared by all roles in it.
type gates map[string]*gate

func newGates(clock Clock, share float64) gates {
	all := gates{}
	for service := range maps.Keys(documented) {
		all[service] = &gate{clock: clock, share: share}
	}
	return all
}
