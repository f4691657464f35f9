package awscloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"golang.org/x/time/rate"

	"slipway.dev/slipway/internal/cloud"
)

// queueing is a gate on fake time that notes who went when.
type queueing struct {
	*gate
	t     *testing.T
	began time.Time

	mu   sync.Mutex
	went []passed
}

type passed struct {
	who   string
	after time.Duration
}

// atGate runs a test at a gate of one service, in a bubble with fake time.
func atGate(t *testing.T, share float64, test func(q *queueing)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(&queueing{gate: &gate{clock: wallClock{}, share: share}, t: t, began: time.Now()})
	})
}

// send lets a call of an operation wait for its turn; it has its place in the queue when send returns.
func (q *queueing) send(who string, lane cloud.Lane, service, operation string, servers int) {
	q.sendWith(withServers(q.t.Context(), servers), who, lane, service, operation)
}

func (q *queueing) sendWith(ctx context.Context, who string, lane cloud.Lane, service, operation string) {
	go func() {
		if err := q.wait(ctx, lane, documented[service].of(ctx, operation)); err != nil {
			return
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		q.went = append(q.went, passed{who, time.Since(q.began)})
	}()
	synctest.Wait()
}

// pass lets time go by.
func (q *queueing) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (q *queueing) order() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var order []string
	for _, p := range q.went {
		order = append(order, p.who)
	}
	return order
}

func TestGatePacesCalls(t *testing.T) {
	atGate(t, 0.7, func(q *queueing) {
		for range 10 {
			q.send("launch", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 1)
		}
		q.pass(time.Minute)
		// 0.7 × 5 = 3 at once, then 0.7 × 2 a second: the tenth 7 / 1.4 = 5 s later.
		if len(q.went) != 10 || q.went[2].after != 0 || q.went[3].after == 0 {
			t.Fatalf("went %v", q.went)
		}
		if last := q.went[9].after; last < 5*time.Second || last > 5*time.Second+20*time.Millisecond {
			t.Errorf("the tenth went after %s", last)
		}
	})
}

func TestGateCountsServersToo(t *testing.T) {
	atGate(t, 1, func(q *queueing) {
		q.send("many", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 1000)
		q.send("ten", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 10)
		q.pass(time.Minute)
		if len(q.went) != 2 || q.went[0].after != 0 || q.went[1].after.Round(time.Second) != 5*time.Second {
			t.Errorf("went %v, want the ten 10 / 2 = 5 s after the many", q.went)
		}
	})
}

func TestGateLetsMoreThanTheBucketHoldsPass(t *testing.T) {
	atGate(t, 0.7, func(q *queueing) {
		q.send("most", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 1000) // of 700
		q.pass(time.Minute)
		if len(q.went) != 1 {
			t.Error("waits for ever")
		}
	})
}

func TestGateServesLanesInOrder(t *testing.T) {
	atGate(t, 1, func(q *queueing) {
		for range 16 {
			q.send("early", cloud.LaneTerminate, elbv2.ServiceID, "DeregisterTargets", 0)
		}
		for _, lane := range []cloud.Lane{cloud.LaneBackground, cloud.LaneTerminate, cloud.LanePromote, cloud.LaneRollback, cloud.LanePromote} {
			who := map[cloud.Lane]string{cloud.LaneBackground: "background", cloud.LaneTerminate: "terminate",
				cloud.LanePromote: "promote", cloud.LaneRollback: "rollback"}[lane]
			q.send(who, lane, elbv2.ServiceID, "RegisterTargets", 0)
		}
		q.pass(time.Minute)
		want := []string{"rollback", "promote", "promote", "terminate", "background"}
		if got := q.order(); len(got) != 21 || !slices.Equal(got[16:], want) {
			t.Errorf("went %v, want after sixteen early ones %v", got, want)
		}
	})
}

// A flood of looks at promotions does not keep readings of Releases at rest back until they are no evidence: those that have waited for
// five seconds get a quarter of the turns. A rollback still goes before everybody.
func TestGateLetsTheBackgroundGoAfterAWhile(t *testing.T) {
	atGate(t, 0.7, func(q *queueing) { // seven calls a second, and 28 at once
		for range 200 {
			q.send("promotion", cloud.LanePromote, elbv2.ServiceID, "DescribeTargetHealth", 0)
		}
		for range 20 {
			q.send("at rest", cloud.LaneBackground, elbv2.ServiceID, "DescribeTargetHealth", 0)
		}
		q.pass(oldAfter)
		if slices.Contains(q.order(), "at rest") {
			t.Error("the background went before it had waited")
		}
		q.send("rollback", cloud.LaneRollback, elbv2.ServiceID, "DescribeTargetHealth", 0)
		q.pass(4 * time.Second)
		order := q.order()
		rollback := slices.Index(order, "rollback")
		if waited := q.went[rollback].after - oldAfter; waited > 200*time.Millisecond {
			t.Errorf("the rollback waited for %s", waited)
		}
		since := order[rollback+1:]
		if n := len(slices.DeleteFunc(slices.Clone(since), func(who string) bool { return who != "at rest" })); n < 6 || n > 7 {
			t.Errorf("%d of the next %d turns were the background's, want a quarter", n, len(since))
		}
	})
}

// Nor does it keep servers out of the test pools, which may be what those who look are waiting for: the first Register that has waited for
// five seconds goes, and the background has its quarter beside it.
func TestGateLetsARegisterOfPreviewGoAfterAWhile(t *testing.T) {
	atGate(t, 0.7, func(q *queueing) {
		for range 300 {
			q.send("promotion", cloud.LanePromote, elbv2.ServiceID, "DescribeTargetHealth", 0)
		}
		for range 10 {
			q.send("preview", cloud.LaneLaunch, elbv2.ServiceID, "RegisterTargets", 0)
			q.send("at rest", cloud.LaneBackground, elbv2.ServiceID, "DescribeTargetHealth", 0)
		}
		q.pass(oldAfter)
		if got := q.order(); slices.Contains(got, "preview") || slices.Contains(got, "at rest") {
			t.Error("some went before they had waited")
		}
		before := len(q.order())
		q.pass(4 * time.Second)
		counts := map[string]int{}
		for _, who := range q.order()[before:] {
			counts[who]++
		}
		if counts["preview"] < 6 || counts["at rest"] < 6 || counts["promotion"] < 12 {
			t.Errorf("in four seconds %v went, want a quarter for either, and half for the promotions", counts)
		}
	})
}

// Who waits for a bucket of its own, which no promotion drains, keeps its order: launches end Release by Release.
func TestGateKeepsTheOrderOfLaunches(t *testing.T) {
	atGate(t, 0.7, func(q *queueing) {
		for range 200 {
			q.send("promotion", cloud.LanePromote, ec2.ServiceID, "DescribeInstances", 0)
		}
		for range 40 {
			q.send("later", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 1)
		}
		q.pass(6 * time.Second) // some are old
		q.sendWith(cloud.WithDue(q.t.Context(), q.began.Add(-time.Minute)), "sooner", cloud.LaneLaunch, ec2.ServiceID, "RunInstances")
		q.pass(time.Second)
		order := q.order()
		if sooner := slices.Index(order, "sooner"); sooner < 0 {
			t.Errorf("who is due before the others did not go next: %v", order[max(0, len(order)-4):])
		}
	})
}

func TestGateKeepsItsPromise(t *testing.T) {
	atGate(t, 1, func(q *queueing) {
		// Empty the registration bucket (16 of 20, see burst), leave 14 of 30 in the account's.
		for range 16 {
			q.send("early", cloud.LanePromote, elbv2.ServiceID, "RegisterTargets", 0)
		}
		q.send("rollback", cloud.LaneRollback, elbv2.ServiceID, "RegisterTargets", 0) // is promised one of the account's
		for range 20 {
			q.send("read", cloud.LaneBackground, elbv2.ServiceID, "DescribeTargetHealth", 0)
		}
		if got := len(q.order()); got != 29 {
			t.Errorf("%d went at once, want 16 and those 13 reads that nobody waits for", got)
		}
		q.pass(time.Minute)
		if i := slices.IndexFunc(q.went, func(p passed) bool { return p.who == "rollback" }); q.went[i].after > 260*time.Millisecond {
			t.Errorf("the rollback went after %s, want 1 / 4 s", q.went[i].after)
		}
	})
}

func TestGateForgetsWhoGivesUp(t *testing.T) {
	atGate(t, 1, func(q *queueing) {
		for range 3 {
			q.send("early", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 1)
		}
		ctx, cancel := context.WithTimeout(q.t.Context(), 100*time.Millisecond)
		defer cancel()
		limits := documented[ec2.ServiceID].of(ctx, "RunInstances")
		if err := q.wait(ctx, cloud.LaneRollback, limits); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		q.send("next", cloud.LaneBackground, ec2.ServiceID, "RunInstances", 1)
		q.pass(time.Second)
		if got := q.order(); len(got) != 4 || got[3] != "next" || q.went[3].after > 510*time.Millisecond {
			t.Errorf("went %v", q.went)
		}
	})
}

func TestGatePassesOnWhatWasPromisedToWhoGivesUp(t *testing.T) {
	atGate(t, 1, func(q *queueing) {
		for range 16 {
			q.send("early", cloud.LanePromote, elbv2.ServiceID, "RegisterTargets", 0)
		}
		for range 13 {
			q.send("early", cloud.LaneBackground, elbv2.ServiceID, "DescribeTargetHealth", 0)
		}
		hasty, cancel := context.WithTimeout(q.t.Context(), 50*time.Millisecond)
		defer cancel()
		go func() {
			_ = q.wait(hasty, cloud.LaneRollback, documented[elbv2.ServiceID].of(hasty, "RegisterTargets")) // gives up
		}()
		synctest.Wait()
		q.send("read", cloud.LaneBackground, elbv2.ServiceID, "DescribeTargetHealth", 0)
		q.pass(time.Second)
		if last := q.went[len(q.went)-1]; last.who != "read" || last.after != 50*time.Millisecond {
			t.Errorf("the read went after %s, want as soon as the other gave up", last.after)
		}
	})
}

func TestGateBelievesAWSThatTheBucketIsEmpty(t *testing.T) {
	atGate(t, 1, func(q *queueing) {
		q.refused(documented[ec2.ServiceID].of(q.t.Context(), "RunInstances"), time.Now())
		q.send("launch", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 1)
		q.send("describe", cloud.LaneLaunch, ec2.ServiceID, "DescribeInstances", 0) // another bucket
		q.pass(time.Minute)
		if got := q.order(); !slices.Equal(got, []string{"describe", "launch"}) {
			t.Errorf("went %v", q.went)
		}
	})
}

// A call for many servers says nothing of a bucket that has enough for a few.
func TestGateTakesNoMoreThanARefusalSays(t *testing.T) {
	atGate(t, 1, func(q *queueing) {
		limits := documented[ec2.ServiceID].of(withServers(q.t.Context(), 100), "RunInstances")
		q.refused(limits, time.Now())
		q.pass(time.Second) // two more calls
		q.refused(limits, time.Now())
		q.pass(time.Second)
		q.send("many", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 100)
		q.pass(time.Minute)
		if len(q.went) != 1 || q.went[0].after != 2*time.Second {
			t.Errorf("went %v, want at once: of the hundred servers one was missing, and two have come", q.went)
		}
	})
}

// The thousand servers of RunInstances take eight minutes to come again, its five calls two seconds: one refusal is no reason to believe that
// those are gone. That a small launch goes through says nothing of the servers that a large one needs.
func TestGateDoubtsTheEmptiestBucketFirst(t *testing.T) {
	for what, tc := range map[string]struct {
		through []int // of so many servers each, a second apart: what AWS let through; negative: refused
		waits   bool  // for the servers
	}{
		"refused once":                                  {[]int{-100}, false},
		"refused, let through, refused":                 {[]int{-100, 100, -100}, false},
		"refused, and again after a second":             {[]int{-100, -100}, true},
		"refused, a small one let through, and refused": {[]int{-100, 1, -100}, true},
	} {
		t.Run(what, func(t *testing.T) {
			atGate(t, 1, func(q *queueing) {
				for _, servers := range tc.through {
					limits := documented[ec2.ServiceID].of(withServers(q.t.Context(), max(servers, -servers)), "RunInstances")
					if servers > 0 {
						q.granted(limits, time.Now())
					} else {
						q.refused(limits, time.Now())
					}
					q.pass(time.Second)
				}
				sent := time.Since(q.began)
				for range 2 {
					q.send("many", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 100)
				}
				q.pass(5 * time.Minute)
				if len(q.went) != 2 {
					t.Fatalf("went %v", q.went)
				}
				if waited := q.went[1].after - sent; (waited >= 49*time.Second) != tc.waits || waited > 50*time.Second { // 100 servers at 2 a second
					t.Errorf("the second hundred waited %s", waited)
				}
			})
		})
	}
}

// Within a lane a call goes by when it is due, and one without such a time when it comes.
func TestGateServesWhoeverIsDue(t *testing.T) {
	atGate(t, 1, func(q *queueing) {
		for range 3 {
			q.send("early", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 1)
		}
		for who, due := range map[string]time.Duration{"third": time.Minute, "first": -time.Minute, "second": -time.Second} {
			ctx := cloud.WithDue(q.t.Context(), q.began.Add(due))
			q.sendWith(ctx, who, cloud.LaneLaunch, ec2.ServiceID, "RunInstances")
		}
		q.send("between", cloud.LaneLaunch, ec2.ServiceID, "RunInstances", 1)
		q.pass(time.Minute)
		if got, want := q.order(), []string{"early", "early", "early", "first", "second", "between", "third"}; !slices.Equal(got, want) {
			t.Errorf("went %v, want %v", got, want)
		}
	})
}

// AWS adds its tokens once a second, we ours one by one: whatever is sent as soon as we allow for it, AWS has a token for.
func TestGateSpendsNothingBeforeAWSHasIt(t *testing.T) {
	for _, l := range []limit{{burst: 5, refill: 2}, {burst: 20, refill: 4}, {burst: 40, refill: 10}, {burst: 100, refill: 20}} {
		for _, share := range []float64{0.3, 0.7, 0.9, 1} {
			t.Run(fmt.Sprintf("%v of %v", share, l), func(t *testing.T) {
				held, added := l.burst, 0.0 // AWS's, from the first call on
				ours := rate.NewLimiter(rate.Limit(l.refill*share), burst(l, share))
				began := time.Unix(0, 0)
				for ms := range 60_000 {
					now := began.Add(time.Duration(ms) * time.Millisecond)
					if ms > 0 && ms%1000 == 0 {
						added = min(l.burst-held, l.refill)
						held += added
					}
					for ours.AllowN(now, 1) {
						if held--; held < 0 {
							t.Fatalf("AWS's bucket is empty after %d ms", ms)
						}
					}
				}
			})
		}
	}
}

// frail is a clock that panics when it is asked for the first time.
type frail struct {
	wallClock
	asked *bool
}

func (c frail) Now() time.Time {
	if first := !*c.asked; first {
		*c.asked = true
		panic("planted")
	}
	return c.wallClock.Now()
}

// Whoever calls puts a panic aside and goes on with the rest; nobody may stand at the gate for ever because of it.
func TestAPanicAtTheGateKeepsNobodyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{clock: frail{asked: new(bool)}, share: 1}
		limits := documented[ec2.ServiceID].of(t.Context(), "DescribeInstances")
		func() {
			defer func() {
				if recover() == nil {
					t.Error("nothing panicked")
				}
			}()
			_ = g.wait(t.Context(), cloud.LaneBackground, limits)
		}()
		if !g.mu.TryLock() {
			t.Fatal("the gate is locked")
		}
		g.mu.Unlock()
		if err := g.wait(t.Context(), cloud.LaneBackground, limits); err != nil {
			t.Error(err)
		}
	})
}
