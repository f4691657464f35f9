package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// sick is AWS's reason for a server that fails its health checks.
const sick = "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."

// passOf is a pass over testRelease in which version v1 is stable and v2 the candidate, with two servers each; change
// makes it the one that a test wants.
func passOf(change func(*pass)) pass {
	rel := testRelease()
	rel.Generation = 7
	world := rollout.World{
		Servers: []rollout.Server{
			{ID: "i-11", Revision: "web-1", Version: "v1", State: rollout.StateRunning},
			{ID: "i-12", Revision: "web-1", Version: "v1", State: rollout.StateRunning},
			{ID: "i-21", Revision: "web-2", Version: "v2", State: rollout.StateRunning},
			{ID: "i-22", Revision: "web-2", Version: "v2", State: rollout.StateRunning},
		},
		Pools: []rollout.Pool{
			{ID: "classic/eu/prod", Name: "edge", Use: rollout.UseProduction, Kind: rollout.KindClassic, Members: []rollout.Member{
				{Server: "i-11", State: rollout.MemberHealthy}, {Server: "i-12", State: rollout.MemberHealthy}}},
			{ID: "classic/eu/test", Name: "test", Use: rollout.UseTest, Kind: rollout.KindClassic, Members: []rollout.Member{
				{Server: "i-21", State: rollout.MemberHealthy},
				{Server: "i-22", State: rollout.MemberUnhealthy, Reason: sick}}},
		},
	}
	obs := &observation{
		release: rel, input: rollout.Input{World: world, Now: testNow}, place: place{Class: "default", AccountID: testAccount, Region: testRegion},
	}
	decision := rollout.Decision{
		Memory: rollout.Memory{Revisions: []rollout.Revision{
			{Name: "web-1", Version: "v1", Image: "ami-1", Number: 1, StableSeq: 1, Completed: true},
			{Name: "web-2", Version: "v2", Image: "ami-2", Number: 2},
		}},
		Report: rollout.Report{
			Stage: rollout.StagePreparing, Phase: rollout.PhasePreview, PhaseRule: rollout.RuleSpec, PhaseWhy: "spec.phase is Preview", Message: "waiting for i-22",
			Stable: &rollout.FleetReport{
				Revision: "web-1", Version: "v1", Image: "ami-1", Desired: 2, Running: 2, Healthy: 2, Servers: []string{"i-11", "i-12"},
			},
			Candidate: &rollout.FleetReport{
				Revision: "web-2", Version: "v2", Image: "ami-2", Desired: 2, Running: 2, Healthy: 1, Servers: []string{"i-21", "i-22"},
			},
			Allowed: []rollout.Phase{rollout.PhasePreview, rollout.PhaseLive},
			Conditions: []rollout.Condition{
				{Type: rollout.CondReady, Reason: rollout.ReasonPreviewing, Message: "waiting for i-22"},
				{Type: rollout.CondReconciling, True: true, Reason: rollout.ReasonPreviewing, Message: "waiting for i-22"},
				{Type: rollout.CondStalled, Reason: rollout.ReasonPreviewing},
				{Type: rollout.CondBlind, Reason: rollout.ReasonReadable},
			},
		},
	}
	p := newPass(rel, obs, decision, nil, map[string]time.Time{})
	if change != nil {
		change(&p)
	}
	return newPass(p.rel, p.obs, p.decision, p.outcomes, p.lastRead)
}

// after is the next pass over the Release as a pass left it.
func (p pass) after(d time.Duration, change func(*pass)) pass {
	next := p
	rel, obs := p.rel.DeepCopy(), *p.obs
	rel.Status = p.status()
	obs.input.Now = p.now.Add(d)
	next.rel, next.obs = rel, &obs
	if change != nil {
		change(&next)
	}
	return newPass(next.rel, next.obs, next.decision, next.outcomes, next.lastRead)
}

func TestStatusSaysWhatIsThere(t *testing.T) {
	got := passOf(nil).status()
	want := v1alpha1.ReleaseStatus{
		ObservedGeneration: 7, Stage: "Preparing", Message: "waiting for i-22",
		EffectivePhase: "Preview", EffectivePhaseReason: "Spec", EffectivePhaseMessage: "spec.phase is Preview",
		AllowedPhases: []v1alpha1.Phase{"Preview", "Live"},
		LiveVersion:   "v1", Replicas: 2,
		Stable: &v1alpha1.FleetStatus{
			Revision: "web-1", Version: "v1", ImageID: "ami-1", Desired: 2, Running: 2, Healthy: 2, ServerIDs: []v1alpha1.StatusName{"i-11", "i-12"},
		},
		Candidate: &v1alpha1.FleetStatus{
			Revision: "web-2", Version: "v2", ImageID: "ami-2", Desired: 2, Running: 2, Healthy: 1, ServerIDs: []v1alpha1.StatusName{"i-21", "i-22"},
		},
		Class: &v1alpha1.ClassStatus{Name: "default", AccountID: testAccount, Region: testRegion},
		Pools: []v1alpha1.PoolStatus{
			{Name: "test", Role: "test", Kind: "classic", Reference: "test", State: "claimed", Registered: 2, Healthy: 1,
				Fleets: []v1alpha1.PoolFleetStatus{{Revision: "web-2", Version: "v2", Registered: 2, Healthy: 1, ServerIDs: []v1alpha1.StatusName{"i-21", "i-22"}}},
				Unhealthy: []v1alpha1.UnhealthyServer{{ServerID: "i-22", Revision: "web-2", State: "unhealthy",
					Reason: sick}}},
			{Name: "edge", Role: "production", Kind: "classic", Reference: "prod", State: "claimed", Registered: 2, Healthy: 2,
				Fleets: []v1alpha1.PoolFleetStatus{{Revision: "web-1", Version: "v1", Registered: 2, Healthy: 2, ServerIDs: []v1alpha1.StatusName{"i-11", "i-12"}}}},
		},
	}
	got.Conditions, got.History, got.LastTransition = nil, nil, nil // have tests of their own
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// A pass that finds what the pass before found writes nothing, however much later it comes.
func TestStatusOfAnEqualPassIsEqual(t *testing.T) {
	for name, change := range map[string]func(*pass){
		"preparing": nil,
		"live": func(p *pass) {
			p.decision.Report.Stage, p.decision.Report.Live, p.decision.Report.PreviewReady = rollout.StageLive, true, true
			p.decision.Memory.Revisions[1].LiveAt = testNow.Add(-time.Hour - 123456789)
		},
		"rejected": func(p *pass) {
			p.decision.Memory.Revisions[1].Verdict = rollout.Verdict{Reason: rollout.ReasonPromotionFailed, Why: "sick", At: testNow.Add(-1234567)}
		},
		"blind": func(p *pass) {
			p.obs.input.World.Pools[0].Err = "RequestLimitExceeded"
			p.lastRead["classic/eu/prod"] = testNow.Add(-time.Minute - 1)
		},
		"stranger": func(p *pass) {
			p.obs.input.World.Pools[0].Members = append(p.obs.input.World.Pools[0].Members, rollout.Member{Server: "i-99", State: rollout.MemberHealthy})
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := passOf(change)
			second := first.after(time.Minute, nil)
			third := second.after(time.Hour, nil)
			if !equality.Semantic.DeepEqual(second.status(), third.status()) {
				t.Errorf("a minute and an hour later (-minute +hour):\n%s", cmp.Diff(second.status(), third.status()))
			}
			if !equality.Semantic.DeepEqual(first.status(), second.status()) {
				t.Errorf("at once and a minute later:\n%s", cmp.Diff(first.status(), second.status()))
			}
		})
	}
}

// Status can be wiped: all but times and what only people did comes again.
func TestWipedStatusComesAgain(t *testing.T) {
	first := passOf(nil)
	wiped := first.after(time.Minute, func(p *pass) { p.rel.Status = v1alpha1.ReleaseStatus{} })
	before, after := first.status(), wiped.status()
	for _, s := range []*v1alpha1.ReleaseStatus{&before, &after} {
		s.LastTransition = nil
		for i := range s.Conditions {
			s.Conditions[i].LastTransitionTime = metav1.Time{}
		}
		for i := range s.History {
			s.History[i].Ended = nil
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("wiped (-before +after):\n%s", diff)
	}
}

func TestConditions(t *testing.T) {
	refused := &cloud.Error{
		Kind: cloud.Denied, Reason: rollout.ReasonAccessDenied, Thing: "pool edge", Code: "AccessDenied", Message: "not authorized", Advice: "Grant it",
	}
	throttled := &cloud.Error{Kind: cloud.Throttled, Reason: rollout.ReasonThrottled, Thing: "pool edge", Code: "Throttling", Message: "Rate exceeded"}
	unknown := errors.New("connection reset by peer")
	register := rollout.Register{Pool: rollout.Pool{Name: "edge"}, Why: "promote"}
	launch := rollout.Launch{Why: "replace i-12"}
	stalled := func(p *pass) {
		for i := range p.decision.Report.Conditions {
			p.decision.Report.Conditions[i].True = p.decision.Report.Conditions[i].Type == rollout.CondStalled
		}
	}
	ready := func(p *pass) {
		for i := range p.decision.Report.Conditions {
			p.decision.Report.Conditions[i].True = p.decision.Report.Conditions[i].Type == rollout.CondReady
		}
	}
	for name, test := range map[string]struct {
		change   func(*pass)
		outcomes []outcome
		want     string // Ready Reconciling Stalled, reason of Ready
		message  string // what status.message has to hold
	}{
		"nothing failed": {nil, []outcome{{action: register}}, "False True False Previewing", "waiting for i-22"},
		"refused": {nil, []outcome{{action: register, err: refused}},
			"False False True AccessDenied", "waiting for i-22; promote: pool edge: not authorized (AccessDenied). Grant it"},
		"refused before, not tried again": {nil, []outcome{{action: register, err: refused, postponed: true}},
			"False False True AccessDenied", "not authorized"},
		"throttled":          {nil, []outcome{{action: register, err: throttled}}, "False True False Throttled", "Rate exceeded"},
		"nobody understands": {nil, []outcome{{action: register, err: unknown}}, "False True False Retrying", "connection reset by peer"},
		"a refusal counts before what may pass": {nil, []outcome{{action: register, err: throttled}, {action: register, err: refused}},
			"False False True AccessDenied", "not authorized"},
		"throttled while stalled anyway": {stalled, []outcome{{action: register, err: throttled}}, "False False True Previewing", "Rate exceeded"},
		"a launch nobody knows of takes nothing from Ready": {ready, []outcome{{action: launch, err: unknown, result: &rollout.LaunchResult{Unknown: true}}},
			"True False False Previewing", "connection reset by peer"},
		"a refused launch is the core's to tell": {nil, []outcome{{action: launch, err: refused, result: &rollout.LaunchResult{}}},
			"False True False Previewing", "waiting for i-22"},
		"a launch that was never called": {nil, []outcome{{action: launch, err: refused}}, "False False True AccessDenied", "not authorized"},
		"under way":                      {nil, []outcome{{action: launch, underway: true}}, "False True False Previewing", "waiting for i-22"},
	} {
		t.Run(name, func(t *testing.T) {
			p := passOf(func(p *pass) {
				if test.change != nil {
					test.change(p)
				}
				p.outcomes = test.outcomes
			})
			status, by := p.status(), map[string]metav1.Condition{}
			for _, c := range status.Conditions {
				by[c.Type] = c
				if c.ObservedGeneration != 7 || c.Reason == "" {
					t.Errorf("%+v", c)
				}
			}
			got := fmt.Sprintf("%s %s %s %s", by["Ready"].Status, by["Reconciling"].Status, by["Stalled"].Status, by["Ready"].Reason)
			if got != test.want {
				t.Errorf("Ready, Reconciling, Stalled, reason: %s, want %s", got, test.want)
			}
			if !strings.Contains(status.Message, test.message) {
				t.Errorf("message %q, want one with %q", status.Message, test.message)
			}
		})
	}
}

// The time of a condition is that of its last change of status, not of reason or message.
func TestConditionTimes(t *testing.T) {
	first := passOf(nil)
	reason := first.after(time.Minute, func(p *pass) {
		p.decision.Report.Conditions = slices.Clone(p.decision.Report.Conditions)
		p.decision.Report.Conditions[0].Reason = rollout.ReasonLaunching
	})
	truth := reason.after(time.Minute, func(p *pass) {
		p.decision.Report.Conditions = slices.Clone(p.decision.Report.Conditions)
		p.decision.Report.Conditions[0].True, p.decision.Report.Conditions[0].Reason = true, rollout.ReasonPreviewReady
	})
	for i, want := range []time.Time{testNow, testNow, testNow.Add(2 * time.Minute)} {
		got := []pass{first, reason, truth}[i].status().Conditions[0]
		if !got.LastTransitionTime.Time.Equal(want) {
			t.Errorf("pass %d: %s since %s, want %s", i, got.Reason, got.LastTransitionTime, want)
		}
	}
}

func TestEffectivePhase(t *testing.T) {
	for want, report := range map[v1alpha1.Phase]rollout.Report{
		"RolledBack": {Phase: rollout.PhaseRolledBack},
		"Preview":    {Phase: rollout.PhaseNone, Stage: rollout.StagePreparing},
		"Live":       {Phase: rollout.PhaseNone, Stage: rollout.StageLive, Live: true},
		"":           {Phase: rollout.PhaseNone, Stage: rollout.StageDeleting, Live: true},
	} {
		if got := effectivePhase(report); got != want {
			t.Errorf("%+v: %q, want %q", report, got, want)
		}
	}
}

func TestLiveVersion(t *testing.T) {
	members := func(pairs ...string) []rollout.Member {
		var all []rollout.Member
		for _, pair := range pairs {
			server, state, _ := strings.Cut(pair, " ")
			all = append(all, rollout.Member{Server: server, State: rollout.MemberState(state)})
		}
		return all
	}
	for name, test := range map[string]struct {
		change func(*pass)
		want   string
	}{
		"stable serves": {nil, "v1"},
		"both are healthy": {func(p *pass) {
			p.obs.input.World.Pools[0].Members = members("i-11 healthy", "i-21 healthy")
		}, "v1+v2"},
		"the candidate is coming": {func(p *pass) {
			p.obs.input.World.Pools[0].Members = members("i-11 healthy", "i-21 registering")
		}, "v1"},
		"stable is draining": {func(p *pass) {
			p.obs.input.World.Pools[0].Members = members("i-11 draining", "i-21 healthy")
		}, "v2"},
		"nobody is healthy": {func(p *pass) {
			p.obs.input.World.Pools[0].Members = members("i-11 unhealthy", "i-12 unhealthy")
		}, "v1"},
		"strangers do not count": {func(p *pass) {
			p.obs.input.World.Pools[0].Members = members("i-99 healthy")
		}, ""},
		"no pool can be read": {func(p *pass) {
			p.obs.input.World.Pools[0].Err = "timeout"
			p.decision.Report.Live = true
		}, "v2"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := passOf(test.change).status().LiveVersion; got != test.want {
				t.Errorf("live version %q, want %q", got, test.want)
			}
		})
	}
}

func TestPoolStates(t *testing.T) {
	for name, test := range map[string]struct {
		change   func(*pass)
		index    int
		state    v1alpha1.PoolState
		message  string
		lastRead bool
	}{
		"held by another": {func(p *pass) {
			p.obs.pools = map[string]poolView{"classic/eu/prod": {heldBy: "pay/web"}}
		}, 1, v1alpha1.PoolHeldByAnother, "held by Release pay/web", false},
		"missing": {func(p *pass) {
			p.obs.input.World.Pools[0].Err, p.obs.input.World.Pools[0].Missing = "there is no prod", true
		}, 1, v1alpha1.PoolNotFound, "there is no prod", false},
		"unreadable": {func(p *pass) {
			p.obs.input.World.Pools[0].Err = "Rate exceeded"
			p.lastRead["classic/eu/prod"] = testNow.Add(-time.Minute)
		}, 1, v1alpha1.PoolClaimed, "Rate exceeded", true},
		"readable": {func(p *pass) {
			p.lastRead["classic/eu/prod"] = testNow
		}, 1, v1alpha1.PoolClaimed, "", false},
		"used by no listener": {func(p *pass) {
			p.obs.input.World.Pools[0].NotInUse = true
		}, 1, v1alpha1.PoolClaimed, "add it to a listener", false},
		"left the spec": {func(p *pass) {
			old := rollout.Pool{ID: "arn:tg/old", Name: "old", Use: rollout.UseReleased, Kind: rollout.KindALB}
			p.obs.input.World.Pools = append(p.obs.input.World.Pools, old)
		}, 2, v1alpha1.PoolReleased, "", false},
		"not looked at yet": {func(p *pass) { p.obs.input.World.Pools = nil }, 1, "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := passOf(test.change).status().Pools[test.index]
			if got.Name == "" || got.Reference == "" {
				t.Errorf("a pool that cannot be told from others: %+v", got)
			}
			if got.State != test.state || !strings.Contains(got.Message, test.message) || (got.LastRead != nil) != test.lastRead {
				t.Errorf("pool %+v, want state %q, message with %q, lastRead %v", got, test.state, test.message, test.lastRead)
			}
		})
	}
}

// Counts count everything, lists are cut: the API server would refuse a status that is too long as a whole.
func TestStatusIsBounded(t *testing.T) {
	long := strings.Repeat("ä", 5000)
	p := passOf(func(p *pass) {
		p.decision.Report.Message, p.decision.Report.PhaseWhy = long, long
		p.decision.Report.Conditions[0].Message = long
		world := &p.obs.input.World
		for i := range 3000 {
			id := fmt.Sprintf("i-%04d", i)
			world.Servers = append(world.Servers, rollout.Server{ID: id, Revision: fmt.Sprintf("web-%d", i%40), Version: long})
			world.Pools[0].Members = append(world.Pools[0].Members, rollout.Member{Server: id, State: rollout.MemberUnhealthy, Reason: long})
			p.decision.Report.Stable.Servers = append(p.decision.Report.Stable.Servers, id)
		}
		for i := range 60 {
			p.decision.Report.Retired = append(p.decision.Report.Retired, rollout.FleetReport{Revision: fmt.Sprint("old-", i)})
			p.decision.Memory.Revisions = append(p.decision.Memory.Revisions, rollout.Revision{Name: fmt.Sprint("old-", i), Version: long})
			world.Pools = append(world.Pools, rollout.Pool{ID: fmt.Sprint("arn:", i), Name: fmt.Sprint("gone-", i), Use: rollout.UseReleased, Err: long})
		}
	})
	status := p.status()
	edge := status.Pools[1]
	for name, test := range map[string][2]int{
		"pools":           {len(status.Pools), v1alpha1.MaxShownPools},
		"servers":         {len(status.Stable.ServerIDs), v1alpha1.MaxShownServers},
		"retired":         {len(status.Retired), v1alpha1.MaxShownFleets},
		"history":         {len(status.History), v1alpha1.MaxShownHistory},
		"unhealthy":       {len(edge.Unhealthy), v1alpha1.MaxShownUnhealthy},
		"fleets":          {len(edge.Fleets), v1alpha1.MaxShownFleets},
		"message":         {len([]rune(status.Message)), v1alpha1.MaxTextLength},
		"phase message":   {len([]rune(status.EffectivePhaseMessage)), v1alpha1.MaxTextLength},
		"ready":           {len([]rune(status.Conditions[0].Message)), v1alpha1.MaxTextLength},
		"AWS's reason":    {len([]rune(edge.Unhealthy[0].Reason)), v1alpha1.MaxReasonLength},
		"pool's message":  {len([]rune(status.Pools[5].Message)), v1alpha1.MaxTextLength},
		"history version": {len([]rune(status.History[5].Version)), v1alpha1.MaxNameLength},
	} {
		if test[0] != test[1] {
			t.Errorf("%s: %d, want %d", name, test[0], test[1])
		}
	}
	if edge.Registered != 3002 || edge.Healthy != 2 {
		t.Errorf("edge counts %d registered, %d healthy", edge.Registered, edge.Healthy)
	}
}

func TestLostRevisionIsNoted(t *testing.T) {
	status := passOf(func(p *pass) { p.decision.Memory.Revisions[0].Lost = true }).status()
	if status.Stable.Note == "" || status.Candidate.Note != "" {
		t.Errorf("notes: stable %q, candidate %q", status.Stable.Note, status.Candidate.Note)
	}
}

// step is one pass of a story.
type step struct {
	stage  rollout.Stage
	change func(*pass)
	want   string // the transition after it: what revision state
}

func TestTransitions(t *testing.T) {
	live := func(p *pass) { p.decision.Report.PreviewReady, p.decision.Report.Live = true, true }
	settled := func(retired int) func(*pass) {
		return func(p *pass) {
			p.decision.Report.Stable, p.decision.Report.Candidate = p.decision.Report.Candidate, nil
			if p.decision.Report.Stable == nil {
				p.decision.Report.Stable = &rollout.FleetReport{Revision: "web-2"}
			}
			p.decision.Report.Retired = make([]rollout.FleetReport, retired)
		}
	}
	for name, story := range map[string][]step{
		"through to the end": {
			{rollout.StagePreparing, nil, "Launch web-2 open"},
			{rollout.StagePreparing, nil, "Launch web-2 open"},
			{rollout.StagePreparing, func(p *pass) { p.decision.Report.PreviewReady = true }, "Launch web-2 20.000"},
			{rollout.StagePreparing, func(p *pass) { p.decision.Report.PreviewReady = false }, "Launch web-2 20.000"}, // sick again: no new launch
			{rollout.StagePromoting, func(p *pass) { p.decision.Report.Deadline = testNow.Add(time.Minute) }, "Promotion web-2 open until 10:01"},
			{rollout.StageSwitching, func(p *pass) { p.decision.Report.Deadline = time.Time{} }, "Promotion web-2 open"},
			{rollout.StageLive, live, "Promotion web-2 20.000"},
			{rollout.StageLive, nil, "Promotion web-2 20.000"},
			{rollout.StageCompleting, nil, "Completion web-2 open"},
			{rollout.StageSettled, settled(1), "Completion web-2 open"},
			{rollout.StageSettled, settled(0), "Completion web-2 20.000"},
			{rollout.StageSettled, settled(1), "Completion web-2 20.000"}, // somebody's leftovers: no completion of ours
		},
		"rolled back": {
			{rollout.StageLive, live, ""},
			{rollout.StageRollingBack, func(p *pass) { p.decision.Report.Phase = rollout.PhaseRolledBack }, "Rollback web-2 open"},
			{rollout.StageRolledBack, nil, "Rollback web-2 10.000"},
		},
		"undone by another phase, and paused meanwhile": {
			{rollout.StagePromoting, nil, "Promotion web-2 open"},
			{rollout.StageRollingBack, nil, "Undo web-2 open"},
			{rollout.StagePaused, nil, "Undo web-2 open"},
			{rollout.StageRefused, nil, "Undo web-2 open"},
			{rollout.StageRollingBack, nil, "Undo web-2 open"},
			{rollout.StageSettled, nil, "Undo web-2 40.000"},
		},
		"undone by a verdict": {
			{rollout.StageRollingBack, func(p *pass) {
				p.decision.Report.Phase = rollout.PhaseRolledBack
				p.decision.Memory.Revisions[1].Verdict.Reason = rollout.ReasonPromotionFailed
			}, "Undo web-2 open"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := passOf(func(p *pass) { p.decision.Report.Stage = story[0].stage; call(story[0].change, p) })
			for i, s := range story {
				if i > 0 {
					p = p.after(10*time.Second, func(p *pass) { p.decision.Report.Stage = s.stage; call(s.change, p) })
				}
				if got := describe(p.transition()); got != s.want {
					t.Fatalf("step %d, stage %s: %q, want %q", i, s.stage, got, s.want)
				}
			}
		})
	}
}

func call(change func(*pass), p *pass) {
	if change != nil {
		change(p)
	}
}

func describe(x *v1alpha1.Transition) string {
	switch {
	case x == nil:
		return ""
	case x.Ended == nil && x.Deadline != nil:
		return fmt.Sprintf("%s %s open%s until %s", x.What, x.Revision, x.Seconds, clock(x.Deadline))
	case x.Ended == nil:
		return fmt.Sprintf("%s %s open%s", x.What, x.Revision, x.Seconds)
	default:
		return fmt.Sprintf("%s %s %s", x.What, x.Revision, x.Seconds)
	}
}

func TestHistory(t *testing.T) {
	created := metav1.NewTime(testNow.Add(-time.Hour))
	p := passOf(func(p *pass) {
		p.obs.revisions = []appsv1.ControllerRevision{{ObjectMeta: metav1.ObjectMeta{Name: "web-2", CreationTimestamp: created}}}
		p.decision.Report.PreviewReady = true
	})
	expect := func(when string, p pass, want ...string) {
		t.Helper()
		var got []string
		for _, e := range p.history() {
			line := fmt.Sprintf("%s %s preview=%s live=%s ended=%s %s",
				e.Version, e.Verdict, clock(e.PreviewReady), clock(e.Live), clock(e.Ended), e.Message)
			got = append(got, strings.TrimSpace(line))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	expect("previewed", p, "v2  preview=10:00 live= ended=", "v1 Completed preview= live= ended=10:00")
	if got := p.history()[0]; !got.Created.Equal(&created) || got.ImageID != "ami-2" {
		t.Errorf("newest entry %+v", got)
	}
	p = p.after(time.Minute, func(p *pass) { p.decision.Memory.Revisions[1].LiveAt = p.now.Add(time.Minute) })
	expect("live", p, "v2  preview=10:00 live=10:01 ended=", "v1 Completed preview= live= ended=10:00")
	p = p.after(time.Minute, func(p *pass) { p.decision.Report.Phase = rollout.PhaseRolledBack })
	expect("rolled back", p, "v2 RolledBack preview=10:00 live=10:01 ended=10:02 spec.phase is Preview", "v1 Completed preview= live= ended=10:00")
	p = p.after(time.Minute, func(p *pass) { p.decision.Report.Phase = rollout.PhaseLive })
	expect("live again", p, "v2  preview=10:00 live=10:01 ended=", "v1 Completed preview= live= ended=10:00")
	verdict := rollout.Verdict{Reason: rollout.ReasonAutoRolledBack, Why: "1 of 2 were sick", At: testNow.Add(3*time.Minute + 30*time.Second)}
	p = p.after(time.Minute, func(p *pass) { p.decision.Memory.Revisions[1].Verdict = verdict })
	expect("judged", p, "v2 AutoRolledBack preview=10:00 live=10:01 ended=10:03 1 of 2 were sick", "v1 Completed preview= live= ended=10:00")
	p = p.after(time.Minute, func(p *pass) {
		p.decision.Memory.Revisions[1].Verdict = rollout.Verdict{}
		p.decision.Memory.Revisions = append(p.decision.Memory.Revisions,
			rollout.Revision{Name: "web-3", Version: "v3", Number: 3}, rollout.Revision{Name: "web-4", Version: "v4", Number: 4})
		p.decision.Report.Candidate, p.decision.Report.PreviewReady = &rollout.FleetReport{Revision: "web-4"}, false
	})
	expect("followed by v3, which v4 replaced at once", p, "v4  preview= live= ended=", "v3 Superseded preview= live= ended=10:05",
		"v2 AutoRolledBack preview=10:00 live=10:01 ended=10:03 1 of 2 were sick", "v1 Completed preview= live= ended=10:00")
	p = p.after(time.Minute, func(p *pass) {
		p.decision.Memory.Revisions = p.decision.Memory.Revisions[3:]
	})
	expect("v1 to v3 are forgotten by memory", p, "v4  preview= live= ended=", "v3 Superseded preview= live= ended=10:05",
		"v2 AutoRolledBack preview=10:00 live=10:01 ended=10:03 1 of 2 were sick", "v1 Completed preview= live= ended=10:00")
}

func clock(at *metav1.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format("15:04")
}
