package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// What RunInstances answers decides whether the token is spent.
func TestLaunchResults(t *testing.T) {
	refusal := func(kind cloud.Kind) error {
		return fmt.Errorf("launch: %w", &cloud.Error{
			Kind: kind, Reason: "Because", Thing: "subnet subnet-a", Code: "Code", Message: "AWS's words", Advice: "Do this",
		})
	}
	failed := func(kind rollout.FailureKind) rollout.LaunchResult {
		return rollout.LaunchResult{Failure: rollout.Failure{
			Kind: kind, Reason: "Because", Message: "launch: subnet subnet-a: AWS's words (Code). Do this",
		}}
	}
	for name, test := range map[string]struct {
		servers []string
		err     error
		want    rollout.LaunchResult
	}{
		"launched":           {[]string{"i-1", "i-2"}, nil, rollout.LaunchResult{Servers: []string{"i-1", "i-2"}}},
		"partly launched":    {[]string{"i-1"}, nil, rollout.LaunchResult{Servers: []string{"i-1"}}},
		"no capacity":        {nil, refusal(cloud.NoCapacity), failed(rollout.FailureCapacity)},
		"quota":              {nil, refusal(cloud.Quota), failed(rollout.FailureRejected)},
		"invalid":            {nil, refusal(cloud.Invalid), failed(rollout.FailureRejected)},
		"denied":             {nil, refusal(cloud.Denied), failed(rollout.FailureRejected)},
		"not found":          {nil, refusal(cloud.NotFound), failed(rollout.FailureRejected)},
		"gone already":       {nil, refusal(cloud.Terminated), failed(rollout.FailureDied)},
		"throttled":          {nil, refusal(cloud.Throttled), rollout.LaunchResult{Unknown: true}},
		"nobody understands": {nil, errors.New("connection reset by peer"), rollout.LaunchResult{Unknown: true}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newActing(t)
			a.hands.launch = func(context.Context, cloud.LaunchRequest) ([]string, error) { return test.servers, test.err }
			o := a.act(t, a.launchAction("token"))[0]
			test.want.Revision, test.want.Token = a.revision, "token"
			if diff := cmp.Diff([]rollout.LaunchResult{test.want}, results([]outcome{o})); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if o.done() != (test.err == nil) {
				t.Errorf("done %v with error %v", o.done(), test.err)
			}
		})
	}
}

// RunInstances that does not answer holds up nobody: the pass goes on, and later ones join the same call. It is made once.
func TestSlowLaunchIsLeftUnderWayAndJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newActing(t)
		calls := 0
		a.hands.launch = func(context.Context, cloud.LaunchRequest) ([]string, error) {
			calls++
			<-time.After(2*patience + time.Second)
			return []string{"i-1", "i-2"}, nil
		}
		a.hands.register = func(context.Context, rollout.Pool, []string) error { return nil }
		begin := time.Now()
		outcomes := a.act(t, a.launchAction("slow"), rollout.Register{Pool: edge, Servers: []string{"i-7"}})
		if waited := time.Since(begin); waited != patience {
			t.Errorf("the pass waited %s", waited)
		}
		if o := outcomes[0]; !o.underway || o.done() || o.result != nil || !outcomes[1].done() {
			t.Errorf("the first pass: %+v", outcomes)
		}
		if o := a.act(t, a.launchAction("slow"))[0]; !o.underway {
			t.Errorf("the second pass: %+v", o)
		}
		o := a.act(t, a.launchAction("slow"))[0]
		if !o.done() || o.result == nil || !slices.Equal(o.result.Servers, []string{"i-1", "i-2"}) || calls != 1 {
			t.Errorf("the third pass, after %d calls: %+v", calls, o)
		}
	})
}

// The answer that comes when nobody waits for it wakes the Release, and its next pass has it: nothing is asked twice.
func TestAnAnswerWaitsForItsPass(t *testing.T) {
	for name, refusal := range map[string]error{
		"servers": nil,
		"refused": &cloud.Error{Kind: cloud.NoCapacity, Code: "InsufficientInstanceCapacity", Message: "no room"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newActing(t)
				calls, woken := 0, []types.NamespacedName(nil)
				a.soft.hear(func(name types.NamespacedName) { woken = append(woken, name) })
				a.hands.launch = func(context.Context, cloud.LaunchRequest) ([]string, error) {
					calls++
					<-time.After(10 * time.Minute)
					if refusal != nil {
						return nil, refusal
					}
					return []string{"i-1", "i-2"}, nil
				}
				if o := a.act(t, a.launchAction("queued"))[0]; !o.underway {
					t.Fatalf("the first pass: %+v", o)
				}
				if got := a.known.calls.launching(); !slices.Equal(got, []string{"queued"}) {
					t.Errorf("under way are %v", got)
				}
				<-time.After(10 * time.Minute)
				synctest.Wait()
				if want := []types.NamespacedName{client.ObjectKeyFromObject(a.obs.release)}; !slices.Equal(woken, want) {
					t.Errorf("woken are %v, want %v", woken, want)
				}
				o := a.act(t, a.launchAction("queued"))[0]
				if o.result == nil || calls != 1 || !errors.Is(o.err, refusal) || (refusal == nil) != (len(o.result.Servers) == 2) {
					t.Errorf("the second pass, after %d calls: %+v", calls, o)
				}
				if got := a.known.calls.launching(); len(got) > 0 {
					t.Errorf("still under way: %v", got)
				}
				// Servers are known until memory has them. A failure is told once: who asks again, wants it asked for.
				a.act(t, a.launchAction("queued"))
				synctest.Wait()
				if want := map[bool]int{true: 1, false: 2}[refusal == nil]; calls != want {
					t.Errorf("%d calls, want %d", calls, want)
				}
				a.act(t)
				if _, kept := a.known.calls.peek("queued"); kept {
					t.Error("the answer is kept for ever")
				}
				<-time.After(10 * time.Minute)
			})
		})
	}
}

// A launch that waits for its turn is given up with the wish for it, also where the Release is gone.
func TestALaunchThatNobodyAsksForAnyMoreIsEnded(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *acting){
		"another decision": func(t *testing.T, a *acting) { a.act(t) },
		"gone":             func(_ *testing.T, a *acting) { a.soft.forget(client.ObjectKeyFromObject(a.obs.release)) },
		"made again": func(_ *testing.T, a *acting) {
			again := a.obs.release.DeepCopy()
			again.UID = "another"
			a.soft.of(again)
		},
		"the class forbids it": func(t *testing.T, a *acting) {
			a.obs.class.Spec.Subnets = nil
			if o := a.act(t, a.launchAction("queued"))[0]; o.err == nil {
				t.Errorf("it goes on: %+v", o)
			}
		},
		"there is no account any more": func(t *testing.T, a *acting) {
			a.obs.account, a.obs.input.World.ServersErr = nil, "the class is gone"
			a.act(t)
		},
		"deleted while EC2 cannot be read": func(t *testing.T, a *acting) {
			a.obs.input.World.ServersErr, a.obs.input.Spec.Deleting = "throttled", true
			a.act(t)
		},
		"the class works as somebody else": func(t *testing.T, a *acting) {
			other := *a.obs.account
			other.Compute = &hands{ports: testPorts(), launch: a.hands.launch}
			a.obs.account = &other
			a.act(t, a.launchAction("queued"))
			a.act(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newActing(t)
				var ended error
				a.hands.launch = func(ctx context.Context, _ cloud.LaunchRequest) ([]string, error) {
					<-ctx.Done()
					ended = ctx.Err()
					return nil, ended
				}
				if o := a.act(t, a.launchAction("queued"))[0]; !o.underway {
					t.Fatalf("the first pass: %+v", o)
				}
				if o := a.act(t, a.launchAction("queued"))[0]; !o.underway || ended != nil {
					t.Fatalf("it is asked for again: %+v, %v", o, ended)
				}
				end(t, a)
				synctest.Wait()
				if !errors.Is(ended, context.Canceled) {
					t.Errorf("it ended with %v", ended)
				}
				if last, kept := a.known.calls.peek("queued"); kept {
					t.Errorf("that it was given up is kept as its answer: %v", last.err)
				}
			})
		})
	}
}

// Whether a launch is wanted, nobody can tell from a reading that failed.
func TestALaunchGoesOnWhileEC2CannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newActing(t)
		a.hands.launch = func(ctx context.Context, _ cloud.LaunchRequest) ([]string, error) {
			select {
			case <-time.After(time.Minute):
				return []string{"i-1", "i-2"}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		a.act(t, a.launchAction("queued"))
		a.obs.input.World.ServersErr = "throttled"
		a.act(t)
		<-time.After(time.Minute)
		a.obs.input.World.ServersErr = ""
		if o := a.act(t, a.launchAction("queued"))[0]; !o.done() || o.result == nil || len(o.result.Servers) != 2 {
			t.Errorf("it came to %+v", o)
		}
	})
}

// Those that were decided on first go first, a small one before a large one, and no large one waits for ever for small ones that come later.
func TestLaunchesAreDueInOrder(t *testing.T) {
	at := func(after time.Duration, servers int) time.Time {
		return launchDue(rollout.Attempt{At: testNow.Add(after), Places: make([]int, servers)})
	}
	serves := &observation{input: rollout.Input{Memory: rollout.Memory{Revisions: []rollout.Revision{{Name: "web-1", LiveAt: testNow}}}}}
	repair := serves.launchDue(rollout.Launch{Revision: "web-1", Attempt: rollout.Attempt{At: testNow.Add(time.Hour), Places: make([]int, 100)}})
	order := []time.Time{repair, at(0, 5), at(time.Second, 5), at(0, 10), at(30*time.Second, 3), at(0, 300), at(149*time.Second, 5)}
	if !slices.IsSortedFunc(order, time.Time.Compare) {
		t.Errorf("due at %v", order)
	}
}
