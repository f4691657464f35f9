package awscloud

import (
	"cmp"
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
// and, within a lane, of when they are due (cloud.WithDue) or arrived. A call further back may overtake only with tokens that nobody before it waits for:
//
//	registration bucket  empty     ← the rollback's Register waits here, and is promised one token of "account"
//	account bucket       3 tokens  ← of the Describes behind it two may go, the third waits
//
// Thus a flood of background reads never delays a rollback by more than the one token that was just taken. Nor does a flood of looks at
// promotions keep anybody else out for good: of each lane behind them (but the last) one that has waited for oldAfter goes for every three
// others. The looks of two promotions spend all that an account has, for as long as a load balancer takes to find servers healthy. Every
// Release at rest would be Blind meanwhile, for a reading that takes ten seconds is no evidence; and no server would be registered in a
// test pool, which is what those who look may be waiting for.
type gate struct {
	clock Clock
	share float64 // of the documented limits

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	doubted map[*rate.Limiter]doubt // the buckets that were emptied because AWS refused a call
	queue   []*turn
	passed  map[cloud.Lane]int // turns that went since an old one of that lane got its place, with that one
	disarm  func()             // ends the alarm for the next token, if one is set
}

// turn is one call that waits.
type turn struct {
	lane    cloud.Lane
	due     time.Time // its place within the lane
	arrived time.Time
	needs   []need
	ready   chan struct{} // closed when it may go
}

// oldAfter is how long a turn waits before it is old, and oldEvery how many turns it takes until an old one of its lane goes.
const (
	oldAfter = 5 * time.Second
	oldEvery = 4
)

// before reports whether it goes before another one, that came first.
func (t *turn) before(other *turn) bool {
	return t.lane < other.lane || t.lane == other.lane && t.due.Before(other.due)
}

// need is so many tokens of one bucket.
type need struct {
	bucket *rate.Limiter
	tokens float64
}

// wait blocks until the call may go or ctx ends.
func (g *gate) wait(ctx context.Context, lane cloud.Lane, limits []limit) error {
	t := g.enter(lane, cloud.DueOf(ctx, g.clock.Now()), limits)
	select {
	case <-t.ready:
		return nil
	case <-ctx.Done():
	}
	g.giveUp(t)
	return ctx.Err()
}

// turn makes one. Called with g.mu held.
func (g *gate) turn(lane cloud.Lane, due time.Time, limits []limit) *turn {
	t := &turn{lane: lane, due: due, arrived: g.clock.Now(), ready: make(chan struct{})}
	for _, l := range limits {
		bucket := g.bucket(l)
		t.needs = append(t.needs, need{bucket, min(l.cost(), float64(bucket.Burst()))})
	}
	return t
}

// promise adds what it needs to what those before it were promised.
func (t *turn) promise(promised map[*rate.Limiter]float64) {
	for _, n := range t.needs {
		promised[n.bucket] += n.tokens
	}
}

// enter gives a call its place in the queue. The lock goes back even if this panics: whoever calls puts a panic aside, and everybody
// else waits at this gate, too.
func (g *gate) enter(lane cloud.Lane, due time.Time, limits []limit) *turn {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.turn(lane, due, limits)
	g.insert(t)
	g.serve()
	return t
}

// insert gives a turn its place in the queue. Called with g.mu held.
func (g *gate) insert(t *turn) {
	at := len(g.queue)
	for at > 0 && t.before(g.queue[at-1]) {
		at--
	}
	g.queue = slices.Insert(g.queue, at, t)
}

// age gives an old turn of each lane whose time has come a place before all but rollbacks. Called with g.mu held.
func (g *gate) age(now time.Time) {
	for lane := cloud.LanePromote + 1; lane < cloud.LaneLast; lane++ {
		if g.passed[lane] < oldEvery {
			continue
		}
		old := g.heldUp(lane, now)
		if old < 0 {
			continue
		}
		t := g.queue[old]
		g.queue = slices.Delete(g.queue, old, old+1)
		t.lane, t.due = cloud.LanePromote, time.Time{}
		g.insert(t)
		g.passed[lane] = 0
	}
}

// heldUp finds the first turn of a lane that is old, and waits for a token because more urgent ones do; -1 for none. Who waits for a bucket that
// they all leave alone keeps its place: launches end in the order in which they are due.
func (g *gate) heldUp(lane cloud.Lane, now time.Time) int {
	wanted := map[*rate.Limiter]bool{}
	return slices.IndexFunc(g.queue, func(t *turn) bool {
		switch {
		case t.lane < lane:
			for _, n := range t.needs {
				wanted[n.bucket] = true
			}
			return false
		case t.lane > lane || now.Sub(t.arrived) < oldAfter:
			return false
		}
		return slices.ContainsFunc(t.needs, func(n need) bool { return wanted[n.bucket] })
	})
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
	g.age(now)
	promised := map[*rate.Limiter]float64{}
	next, went := time.Duration(math.MaxInt64), 0
	g.queue = slices.DeleteFunc(g.queue, func(t *turn) bool {
		delay := t.delay(now, promised)
		if delay > 0 {
			next = min(next, delay)
			t.promise(promised)
			return false
		}
		for _, n := range t.needs {
			n.bucket.AllowN(now, int(n.tokens))
		}
		went++
		close(t.ready)
		return true
	})
	g.count(went)
	if len(g.queue) > 0 {
		g.disarm = g.clock.AfterFunc(next, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.serve()
		})
	}
}

// count notes that so many turns went. Called with g.mu held.
func (g *gate) count(went int) {
	if g.passed == nil {
		g.passed = map[cloud.Lane]int{}
	}
	for lane := cloud.LanePromote + 1; lane < cloud.LaneLast; lane++ {
		g.passed[lane] += went
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
		bucket = rate.NewLimiter(rate.Limit(l.refill*g.share), burst(l, g.share))
		if g.buckets == nil {
			g.buckets = map[string]*rate.Limiter{}
		}
		g.buckets[l.name] = bucket
	}
	return bucket
}

// burst is how many tokens we hold of a bucket at most. AWS adds its tokens once a second (EC2 developer guide, request throttling), and
// ours come one by one: what a second adds must not be spent before AWS has it.
//
//	bucket         share   AWS holds, adds    we hold, add
//	RunInstances     1         5, 2               3, 2      5 at once and one 0.5 s later would find AWS's bucket empty until 1 s
//	RunInstances     0.7       5, 2               3, 1.4
//	Register         0.7      20, 4              14, 2.8
//
// More than all of them is for tests that keep to no limit.
func burst(l limit, share float64) int {
	if share > 1 {
		return int(l.burst * share)
	}
	return max(1, int(min(l.burst*share, l.burst-l.refill*share)))
}

// doubt is when a bucket was emptied, and what the call cost that AWS refused, in its dearest bucket: it is over once AWS lets one through that
// went later and costs as much.
type doubt struct {
	since time.Time
	cost  float64
}

// refused takes from a bucket what it cannot have had when a call went: AWS said that one of the call's had too few tokens, because others
// of the account (a console, a pipeline) spend them too. It does not say which one. The one that we think emptiest is likeliest: RunInstances
// holds five calls, and a thousand servers, which take eight minutes to come again. If AWS goes on refusing, no bucket is believed.
func (g *gate) refused(limits []limit, went time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	likeliest := slices.MinFunc(limits, func(a, b limit) int { return cmp.Compare(g.fill(a, now), g.fill(b, now)) })
	suspects := []limit{likeliest}
	if last, doubted := g.doubted[g.bucket(likeliest)]; doubted && last.since.Before(went) {
		suspects = limits
	}
	for _, l := range suspects {
		bucket := g.bucket(l)
		if surplus := int(bucket.TokensAt(now) - (l.cost() - 1)); surplus > 0 {
			bucket.AllowN(now, surplus)
		}
		if g.doubted == nil {
			g.doubted = map[*rate.Limiter]doubt{}
		}
		g.doubted[bucket] = doubt{now, dearest(limits)}
	}
}

// fill is how full a bucket is by our reckoning, 0 to 1. Called with g.mu held.
func (g *gate) fill(l limit, now time.Time) float64 {
	bucket := g.bucket(l)
	return bucket.TokensAt(now) / float64(bucket.Burst())
}

// granted notes that AWS let a call through: its buckets are as we think.
func (g *gate) granted(limits []limit, went time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range limits {
		bucket := g.bucket(l)
		if last, doubted := g.doubted[bucket]; doubted && !went.Before(last.since) && dearest(limits) >= last.cost {
			delete(g.doubted, bucket)
		}
	}
}

// dearest is what a call takes from the bucket that it takes most from.
func dearest(limits []limit) (most float64) {
	for _, l := range limits {
		most = max(most, l.cost())
	}
	return most
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
