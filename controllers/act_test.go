package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// hands are ports whose writing verbs a test gives; a verb that it does not give panics.
type hands struct {
	*ports
	launch               func(context.Context, cloud.LaunchRequest) ([]string, error)
	tag                  func(context.Context, []string, map[string]string) error
	terminate            func(context.Context, []string) error
	register, deregister func(context.Context, rollout.Pool, []string) error
}

func (h *hands) Launch(ctx context.Context, request cloud.LaunchRequest) ([]string, error) {
	return h.launch(ctx, request)
}
func (h *hands) Tag(ctx context.Context, servers []string, tags map[string]string) error {
	return h.tag(ctx, servers, tags)
}
func (h *hands) Terminate(ctx context.Context, servers []string) error {
	return h.terminate(ctx, servers)
}
func (h *hands) Register(ctx context.Context, pool rollout.Pool, servers []string) error {
	return h.register(ctx, pool, servers)
}
func (h *hands) Deregister(ctx context.Context, pool rollout.Pool, servers []string) error {
	return h.deregister(ctx, pool, servers)
}

// acting is a reconciler that has observed a Release with a recorded revision, with hands in place of the ports.
type acting struct {
	*harness
	hands    *hands
	obs      *observation
	known    *recollection
	revision string
	now      time.Time
}

func newActing(t *testing.T) *acting {
	t.Helper()
	rel := testRelease()
	a := &acting{harness: newHarness(t, testClass(), rel), hands: &hands{ports: testPorts()}, now: testNow}
	a.Clock = func() time.Time { return a.now }
	a.revision = a.declare(t, rel, 1)
	a.obs = a.look(t, rel)
	a.obs.account = &cloud.Account{Compute: a.hands, Balancer: a.hands, Images: a.hands, Identity: a.hands}
	a.known = a.soft.of(rel)
	return a
}

func (a *acting) act(t *testing.T, actions ...rollout.Action) []outcome {
	t.Helper()
	return a.ReleaseReconciler.act(t.Context(), a.obs.release, a.obs, rollout.Decision{Actions: actions}, a.known)
}

func (a *acting) launchAction(token string) rollout.Launch {
	return rollout.Launch{Revision: a.revision, Why: "fill the fleet", Attempt: rollout.Attempt{
		Token: token, Subnet: "subnet-a", Type: "c7g.large", Role: rollout.RoleCandidate, Places: []int{0, 1}, Open: true,
	}}
}

var (
	edge = rollout.Pool{ID: "classic/eu/edge", Name: "edge", Use: rollout.UseProduction}
	shop = rollout.Pool{ID: "classic/eu/shop", Name: "shop", Use: rollout.UseProduction}
	look = rollout.Pool{ID: "classic/eu/look", Name: "look", Use: rollout.UseTest}
)

// The pools of a promotion are worked on at once: here each call returns only when all of them have been made.
func TestActionsAreCarriedOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newActing(t)
		var here atomic.Int32
		everybody := make(chan struct{})
		meet := func(ctx context.Context, _ rollout.Pool, _ []string) error {
			if here.Add(1) == 3 {
				close(everybody)
			}
			select {
			case <-everybody:
				return nil
			case <-ctx.Done():
				return errors.New("the others were not called")
			}
		}
		a.hands.register, a.hands.deregister = meet, meet
		for _, o := range a.act(t, rollout.Register{Pool: edge, Servers: []string{"i-1"}}, rollout.Register{Pool: shop, Servers: []string{"i-1"}},
			rollout.Deregister{Pool: look, Servers: []string{"i-1"}}) {
			if !o.done() {
				t.Errorf("%T: %v", o.action, o.err)
			}
		}
	})
}

// One refusal, one panic and one call without an answer: the rest is done all the same, and every outcome is told.
func TestFailuresStopNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newActing(t)
		denied := &cloud.Error{Kind: cloud.Denied, Reason: rollout.ReasonAccessDenied, Thing: "pool edge", Code: "AccessDenied", Message: "no"}
		var registered []string
		a.hands.register = func(_ context.Context, pool rollout.Pool, servers []string) error {
			if pool.Name == "edge" {
				return denied
			}
			registered = append(registered, servers...)
			return nil
		}
		a.hands.terminate = func(context.Context, []string) error { panic("boom") }
		a.hands.tag = func(ctx context.Context, _ []string, _ map[string]string) error { <-ctx.Done(); return ctx.Err() }
		outcomes := a.act(t,
			rollout.Register{Pool: edge, Servers: []string{"i-1"}},
			rollout.Register{Pool: shop, Servers: []string{"i-1", "i-2"}},
			rollout.Terminate{Servers: []string{"i-9"}},
			rollout.Tag{Servers: []string{"i-1"}, Role: rollout.RoleStable})
		var got []string
		for _, o := range outcomes {
			told, _, _ := strings.Cut(fmt.Sprint(o.err), ", at ")
			got = append(got, fmt.Sprintf("%s done=%v %v", verb(o.action), o.done(), told))
		}
		want := []string{
			"Register done=false pool edge: no (AccessDenied)", "Register done=true <nil>",
			"Terminate done=false a defect in Slipway: panic with a string", "Tag done=false <nil>",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if !slices.Equal(registered, []string{"i-1", "i-2"}) {
			t.Errorf("registered in shop: %v", registered)
		}
		if !outcomes[3].underway {
			t.Errorf("the tag that has not answered: %+v", outcomes[3])
		}
	})
}

func TestNothingIsDoneWithoutAnAccount(t *testing.T) {
	a := newActing(t)
	a.obs.account = nil
	if o := a.act(t, rollout.Terminate{Servers: []string{"i-1"}})[0]; o.done() || !strings.Contains(o.err.Error(), "ReleaseClass") {
		t.Errorf("outcome %+v", o)
	}
}

// What moves production is tried again every two seconds at the latest.
func TestCallsThatMoveProductionArePacedLess(t *testing.T) {
	a := newActing(t)
	a.hands.register = func(context.Context, rollout.Pool, []string) error { return errors.New("connection refused") }
	for range 10 {
		a.act(t, rollout.Register{Pool: edge, Servers: []string{"i-1"}})
		a.now = a.now.Add(maxPause)
	}
	a.act(t, rollout.Register{Pool: edge, Servers: []string{"i-1"}})
	if wait := a.known.nextRetry(a.now); wait <= 0 || wait > maxProductionPause {
		t.Errorf("next retry in %s, want at most %s", wait, maxProductionPause)
	}
}

// A call that failed is made again later and later, up to maxPause; a new spec is heeded at once; a success clears it.
func TestFailedCallsArePaced(t *testing.T) {
	a := newActing(t)
	calls, err := 0, errors.New("connection refused")
	a.hands.register = func(context.Context, rollout.Pool, []string) error { calls++; return err }
	look := rollout.Pool{ID: "classic/eu/look", Name: "look", Use: rollout.UseTest}
	register := rollout.Register{Pool: look, Servers: []string{"i-1"}}

	var at []time.Duration
	for a.now.Sub(testNow) < 2*time.Minute {
		before := calls
		o := a.act(t, register)[0]
		if calls > before {
			at = append(at, a.now.Sub(testNow))
		} else if !o.postponed || o.err == nil {
			t.Fatalf("at %s: not called, and not postponed with its error: %+v", a.now.Sub(testNow), o)
		}
		a.now = a.now.Add(500 * time.Millisecond)
	}
	want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second, 61 * time.Second, 91 * time.Second}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("calls at (-want +got):\n%s", diff)
	}
	if wait := a.known.nextRetry(a.now); wait <= 0 || wait > maxPause {
		t.Errorf("next retry in %s", wait)
	}

	before := calls
	a.act(t, rollout.Register{Pool: look, Servers: []string{"i-1", "i-2"}})
	if calls != before+1 {
		t.Error("another call waited for the one that failed")
	}
	a.act(t, register) // it fails anew, and is paced anew
	a.obs.release.Generation++
	before, err = calls, nil
	if o := a.act(t, register)[0]; calls != before+1 || !o.done() {
		t.Errorf("a new spec waited for the pause of the old one: %+v", o)
	}
	if wait := a.known.nextRetry(a.now); wait != 0 {
		t.Errorf("after a success, the next retry is in %s", wait)
	}
}

// What EC2 may not show yet is not done again meanwhile, whatever the spec says; then it is.
func TestNothingIsRepeatedWhileReadingsLag(t *testing.T) {
	for _, action := range []rollout.Action{
		rollout.Tag{Servers: []string{"i-1"}, Revision: "web-1", Role: rollout.RoleStable},
		rollout.Terminate{Servers: []string{"i-1"}},
	} {
		t.Run(verb(action), func(t *testing.T) {
			a := newActing(t)
			calls := 0
			a.hands.tag = func(context.Context, []string, map[string]string) error { calls++; return nil }
			a.hands.terminate = func(context.Context, []string) error { calls++; return nil }
			for _, step := range []struct {
				after time.Duration
				calls int
			}{{0, 1}, {time.Second, 1}, {effectLag - 2*time.Second, 1}, {time.Second, 2}, {time.Second, 2}} {
				a.now = a.now.Add(step.after)
				if o := a.act(t, action)[0]; calls != step.calls || !o.done() {
					t.Errorf("at %s: %d calls, want %d: %+v", a.now.Sub(testNow), calls, step.calls, o)
				}
			}
			if wait := a.known.nextRetry(a.now); wait <= 0 || wait > effectLag {
				t.Errorf("the next look is in %s", wait)
			}
			a.obs.release.Generation++
			if a.act(t, action); calls != 2 {
				t.Error("a new spec repeated what was done")
			}
		})
	}
}

// Refused launches are in memory; the core says when to try again.
func TestRefusedLaunchIsNotPacedHere(t *testing.T) {
	a := newActing(t)
	a.hands.launch = func(context.Context, cloud.LaunchRequest) ([]string, error) {
		return nil, &cloud.Error{Kind: cloud.NoCapacity, Code: "InsufficientInstanceCapacity"}
	}
	a.act(t, a.launchAction("one"))
	if wait := a.known.nextRetry(a.now); wait != 0 {
		t.Errorf("retry in %s", wait)
	}
}

func TestTags(t *testing.T) {
	a := newActing(t)
	a.obs.input.World.Adoptable = []rollout.Server{{ID: "i-1", Revision: "web-old", Version: "v0"}}
	var got []map[string]string
	a.hands.tag = func(_ context.Context, _ []string, tags map[string]string) error { got = append(got, tags); return nil }
	a.act(t, rollout.Tag{Servers: []string{"i-1"}, Revision: "web-old", Role: rollout.RoleStable, Adopt: true})
	a.act(t, rollout.Tag{Servers: []string{"i-1"}, Revision: "web-old", Role: rollout.RoleRetired})
	want := []map[string]string{
		{"slipway.dev/cluster": testCluster, "slipway.dev/release": "shop/web", "slipway.dev/owner": "uid-web",
			"slipway.dev/revision": "web-old", "slipway.dev/version": "v0", "slipway.dev/role": "stable"},
		{"slipway.dev/role": "retired"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tags (-want +got): adoption writes all but the Name, and later only the role changes\n%s", diff)
	}
}

func TestLanes(t *testing.T) {
	a := newActing(t)
	lanes := map[string]cloud.Lane{}
	var mu sync.Mutex
	note := func(ctx context.Context, what string) error {
		mu.Lock()
		defer mu.Unlock()
		lanes[what] = cloud.LaneOf(ctx)
		return nil
	}
	a.hands.register = func(ctx context.Context, p rollout.Pool, _ []string) error { return note(ctx, "register "+p.Name) }
	a.hands.deregister = func(ctx context.Context, p rollout.Pool, _ []string) error { return note(ctx, "deregister "+p.Name) }
	a.hands.terminate = func(ctx context.Context, _ []string) error { return note(ctx, "terminate") }
	a.hands.launch = func(ctx context.Context, _ cloud.LaunchRequest) ([]string, error) { return nil, note(ctx, "launch") }
	actions := []rollout.Action{
		rollout.Register{Pool: edge}, rollout.Deregister{Pool: edge}, rollout.Register{Pool: look}, rollout.Terminate{}, a.launchAction("t"),
	}
	for stage, production := range map[rollout.Stage]cloud.Lane{
		rollout.StageRollingBack: cloud.LaneRollback, rollout.StagePromoting: cloud.LanePromote, rollout.StageSwitching: cloud.LanePromote,
	} {
		a.ReleaseReconciler.act(t.Context(), a.obs.release, a.obs, rollout.Decision{Actions: actions, Report: rollout.Report{Stage: stage}}, a.known)
		want := map[string]cloud.Lane{
			"register edge": production, "deregister edge": production,
			"register look": cloud.LaneLaunch, "terminate": cloud.LaneTerminate, "launch": cloud.LaneLaunch,
		}
		if diff := cmp.Diff(want, lanes); diff != "" {
			t.Errorf("lanes in stage %s (-want +got):\n%s", stage, diff)
		}
	}
}

// A termination that waits for its turn is given up once a later decision does not ask for it any more.
func TestACallThatNobodyAsksForAnyMoreIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newActing(t)
		var ended error
		a.hands.terminate = func(ctx context.Context, _ []string) error { <-ctx.Done(); ended = ctx.Err(); return ended }
		if o := a.act(t, rollout.Terminate{Servers: []string{"i-9"}})[0]; !o.underway {
			t.Fatalf("a call without an answer: %+v", o)
		}
		if o := a.act(t, rollout.Terminate{Servers: []string{"i-9"}})[0]; !o.underway || ended != nil {
			t.Fatalf("it is asked for again: %+v, %v", o, ended)
		}
		a.act(t)
		synctest.Wait()
		if !errors.Is(ended, context.Canceled) {
			t.Errorf("it ended with %v", ended)
		}
	})
}
