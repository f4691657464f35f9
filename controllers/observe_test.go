package controllers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

func TestSpecOf(t *testing.T) {
	rel := testRelease()
	expires := metav1.NewTime(testNow.Add(time.Hour))
	rel.Annotations = map[string]string{v1alpha1.AnnotationRetry: "3"}
	rel.Spec.Phase, rel.Spec.PhaseFor, rel.Spec.Paused, rel.Spec.DeletionPolicy = v1alpha1.PhaseLive, "v1", true, v1alpha1.DeletionTerminate
	rel.Spec.Health = v1alpha1.HealthPolicy{
		Consecutive: 3, MinReadySeconds: 30, Timeout: metav1.Duration{Duration: time.Minute},
		LaunchTimeout: metav1.Duration{Duration: 2 * time.Minute}, RollbackTimeout: metav1.Duration{Duration: 3 * time.Minute},
	}
	rel.Spec.Promotion = v1alpha1.PromotionPolicy{AutoRollback: true, MinHealthyPercent: 75}
	rel.Spec.Retention.CompleteAfter = metav1.Duration{Duration: time.Hour}
	rel.Spec.Adopt = &v1alpha1.AdoptSource{FormerOwner: "x"}
	rel.Spec.Override = &v1alpha1.PhaseOverride{Revision: "web-1", Phase: v1alpha1.PhaseRolledBack, Reason: "500", By: "alice", ExpiresAt: expires}
	want := rollout.Spec{
		Release: "shop/web", UID: "uid-web", Phase: rollout.PhaseLive, PhaseFor: "v1", Version: "v1", Replicas: 2,
		Health: rollout.Health{
			Consecutive: 3, MinReady: 30 * time.Second, Timeout: time.Minute, LaunchTimeout: 2 * time.Minute, RollbackTimeout: 3 * time.Minute,
		},
		MinHealthyPercent: 75, AutoRollback: true, CompleteAfter: time.Hour, Retry: "3", Paused: true, TerminateOnDelete: true, FormerOwner: "x", Adopt: true,
		Override: rollout.Override{Revision: "web-1", Phase: rollout.PhaseRolledBack, Reason: "500", By: "alice", ExpiresAt: expires.Time},
	}
	if diff := cmp.Diff(want, specOf(rel)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rel.DeletionTimestamp = &expires
	if !specOf(rel).Deleting {
		t.Error("deletion is not seen")
	}
}

func TestWhatAReadingHolds(t *testing.T) {
	rel, other := testRelease(), rival()
	h := newHarness(t, testClass(), rel, other)
	name := h.declare(t, rel, 1)
	h.run(rel, "i-2", name, rollout.RoleStable)
	h.run(rel, "i-1", name, rollout.RoleStable)
	h.run(other, "i-3", "checkout-1", rollout.RoleStable)
	h.run(rel, "i-4", name, rollout.RoleStable)
	h.ports.servers[3].Cluster = "another cluster"
	members := []rollout.Member{{Server: "i-1", State: rollout.MemberHealthy}, {Server: "i-stranger", State: rollout.MemberUnhealthy, Reason: "502"}}
	h.ports.addClassic("prod", members...)
	obs := h.look(t, rel)
	world := obs.input.World
	if got := ids(world.Servers); !slices.Equal(got, []string{"i-1", "i-2"}) || world.ServersErr != "" {
		t.Errorf("servers %v (%s), want ours, sorted", got, world.ServersErr)
	}
	want := []rollout.Pool{
		{ID: prodID, Name: "edge", Use: rollout.UseProduction, Kind: rollout.KindClassic, Members: members},
		{ID: testID, Name: "test", Use: rollout.UseTest, Kind: rollout.KindClassic},
	}
	if diff := cmp.Diff(want, world.Pools); diff != "" {
		t.Errorf("pools (-want +got):\n%s", diff)
	}
	if obs.input.Spec.Target != name || obs.account == nil || obs.input.Spec.Refused.Some() {
		t.Errorf("target %q, refused %+v", obs.input.Spec.Target, obs.input.Spec.Refused)
	}
}

func ids(servers []rollout.Server) []string {
	var list []string
	for _, server := range servers {
		list = append(list, server.ID)
	}
	return list
}

// A part that cannot be read is told as such and is evidence of nothing; the other parts are read all the same.
func TestPartsThatCannotBeRead(t *testing.T) {
	gone := &cloud.Error{
		Kind: cloud.NotFound, Thing: "load balancer prod", Code: "LoadBalancerNotFound", Message: "There is no ACTIVE Load Balancer named 'prod'",
	}
	for name, test := range map[string]struct {
		fail    func(*ports)
		pool    string // the error of pool edge
		missing bool
		servers string
	}{
		"EC2":              {fail: func(p *ports) { p.sweep = errUnanswered }, servers: errUnanswered.Error()},
		"resolve":          {fail: func(p *ports) { p.poolErr["resolve "+prodID] = errUnanswered }, pool: errUnanswered.Error()},
		"resolve, gone":    {fail: func(p *ports) { p.poolErr["resolve "+prodID] = gone }, pool: "no ACTIVE Load Balancer", missing: true},
		"members":          {fail: func(p *ports) { p.poolErr[prodID] = errUnanswered }, pool: errUnanswered.Error()},
		"members, gone":    {fail: func(p *ports) { p.poolErr[prodID] = gone }, pool: "no ACTIVE Load Balancer", missing: true},
		"nothing is wrong": {fail: func(*ports) {}},
	} {
		t.Run(name, func(t *testing.T) {
			rel := testRelease()
			h := newHarness(t, testClass(), rel)
			revision := h.declare(t, rel, 1)
			h.run(rel, "i-1", revision, rollout.RoleStable)
			h.ports.addClassic("prod", rollout.Member{Server: "i-1", State: rollout.MemberHealthy})
			test.fail(h.ports)
			obs := h.look(t, rel)
			pools := obs.input.World.Pools
			if len(pools) != 2 || pools[0].ID != prodID || pools[0].Name != "edge" || pools[0].Use != rollout.UseProduction {
				t.Fatalf("pools %+v, want edge under the ID that it has always had", pools)
			}
			if !strings.Contains(pools[0].Err, test.pool) || pools[0].Readable() != (test.pool == "") || pools[0].Missing != test.missing {
				t.Errorf("edge: %+v", pools[0])
			}
			if !pools[0].Readable() && len(pools[0].Members) > 0 {
				t.Errorf("a failed reading has members: %+v", pools[0])
			}
			if !pools[1].Readable() {
				t.Errorf("one failure spreads to another pool: %+v", pools[1])
			}
			if got := obs.input.World.ServersErr; !strings.Contains(got, test.servers) || (got == "") != (test.servers == "") {
				t.Errorf("servers: %q", got)
			}
			if test.servers != "" && len(obs.input.World.Servers) > 0 {
				t.Errorf("servers that nobody has seen yet: %v", obs.input.World.Servers)
			}
			if obs.input.Spec.Target != revision {
				t.Errorf("the target is lost: %q", obs.input.Spec.Target)
			}
		})
	}
}

// Before anything is recorded a pool that cannot be found stands under its reference.
func TestAPoolThatWasNeverFound(t *testing.T) {
	rel := testRelease()
	rel.Spec.LoadBalancers.Production[0].Classic.Name = "typo"
	h := newHarness(t, testClass(), rel)
	obs := h.look(t, rel)
	i := slices.IndexFunc(obs.input.World.Pools, func(p rollout.Pool) bool { return p.Name == "edge" })
	if pool := obs.input.World.Pools[i]; pool.ID != "classic/typo" || !pool.Missing || pool.Err == "" {
		t.Errorf("got %+v", pool)
	}
	if err := h.recordTarget(t.Context(), rel, obs); err != nil {
		t.Fatal(err)
	}
	if claims := readClaims(obs.stored(obs.input.Spec.Target)); len(claims) != 1 {
		t.Errorf("a pool that nobody has found is claimed: %v", claims)
	}
}

func TestPoolsThatLeftTheSpec(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	name := h.declare(t, rel, 1)
	h.run(rel, "i-1", name, rollout.RoleStable)
	former := h.ports.addClassic("former", rollout.Member{Server: "i-1", State: rollout.MemberHealthy})
	obs := h.look(t, rel)
	next := edited(obs.input.Memory, name, func(r *rollout.Revision) { r.Pools = []string{former, prodID} })
	if err := h.remember(t.Context(), obs, next); err != nil {
		t.Fatal(err)
	}
	obs = h.look(t, rel)
	want := rollout.Pool{
		ID: former, Name: "former", Use: rollout.UseReleased, Kind: rollout.KindClassic,
		Members: []rollout.Member{{Server: "i-1", State: rollout.MemberHealthy}},
	}
	if diff := cmp.Diff(want, obs.input.World.Pools[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.ports.servers[0].State = rollout.StateTerminated
	if pools := h.look(t, rel).input.World.Pools; len(pools) != 2 {
		t.Errorf("the pools of a fleet that is gone are still read: %+v", pools)
	}
	h.ports.sweep = errUnanswered
	if pools := h.look(t, rel).input.World.Pools; len(pools) != 3 {
		t.Errorf("while EC2 cannot be read nobody knows that the fleet is gone: %+v", pools)
	}
}

// A draining member of a classic pool is found only by name, and a name that was never registered is an error there.
func TestWhoIsAskedForByName(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	old := h.declare(t, rel, 1)
	rel.Spec.Version = "v2"
	newest := h.declare(t, rel, 2)
	h.run(rel, "i-old", old, rollout.RoleStable)
	h.run(rel, "i-dead", old, rollout.RoleStable)
	h.ports.servers[1].State = rollout.StateTerminated
	h.run(rel, "i-new", newest, rollout.RoleCandidate)
	h.run(rel, "i-lost", "web-lost", rollout.RoleStable)
	obs := h.look(t, rel)
	next := edited(obs.input.Memory, old, func(r *rollout.Revision) { r.Pools = []string{prodID, testID} })
	next = edited(next, newest, func(r *rollout.Revision) { r.Pools = []string{testID} })
	if err := h.remember(t.Context(), obs, next); err != nil {
		t.Fatal(err)
	}
	h.look(t, rel)
	if diff := cmp.Diff(map[string][]string{prodID: {"i-lost", "i-old"}, testID: {"i-lost", "i-new", "i-old"}}, h.ports.asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRetainNeedsNoPool(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	name := h.declare(t, rel, 1)
	h.run(rel, "i-1", name, rollout.RoleStable)
	h.ports.calls = nil
	rel.DeletionTimestamp = &metav1.Time{Time: testNow}
	obs := h.look(t, rel)
	if len(obs.input.World.Pools) > 0 || !slices.Equal(h.ports.calls, []string{"Servers"}) || len(obs.input.World.Servers) != 1 {
		t.Errorf("calls %v, pools %v, servers %v", h.ports.calls, obs.input.World.Pools, obs.input.World.Servers)
	}
}

func TestTroubleWithKubernetesIsAnError(t *testing.T) {
	broken := errors.New("etcdserver: request timed out")
	rel := testRelease()
	for name, failing := range map[string]interceptor.Funcs{
		"revisions": {List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return broken }},
		"class": {Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return broken
		}},
	} {
		h := newHarness(t, testClass(), rel)
		store, ok := h.Client.(client.WithWatch)
		if !ok {
			t.Fatal("the fake client does not watch")
		}
		h.Client = interceptor.NewClient(store, failing)
		h.APIReader = h.Client
		if _, err := h.observe(t.Context(), rel, false); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestThePriorityOfReadings(t *testing.T) {
	began := rollout.Promotion{StartedAt: testNow}
	for name, test := range map[string]struct {
		phase  rollout.Phase
		newest rollout.Revision
		want   cloud.Lane
	}{
		"nothing yet":           {rollout.PhaseLive, rollout.Revision{}, cloud.LanePromote},
		"preview":               {rollout.PhasePreview, rollout.Revision{Number: 1}, cloud.LaneBackground},
		"to be promoted":        {rollout.PhaseLive, rollout.Revision{Number: 1}, cloud.LanePromote},
		"Live":                  {rollout.PhaseLive, rollout.Revision{Number: 1, Promotion: began, LiveAt: testNow}, cloud.LaneBackground},
		"Complete":              {rollout.PhaseComplete, rollout.Revision{Number: 1, Promotion: began, LiveAt: testNow, StableSeq: 1}, cloud.LaneBackground},
		"to be rolled back":     {rollout.PhaseRolledBack, rollout.Revision{Number: 1, Promotion: began, LiveAt: testNow}, cloud.LaneRollback},
		"rolled back":           {rollout.PhaseRolledBack, rollout.Revision{Number: 1}, cloud.LaneBackground},
		"rejected by a verdict": {rollout.PhaseLive, rollout.Revision{Number: 1, Promotion: began, Verdict: rollout.Verdict{Reason: "x"}}, cloud.LaneRollback},
	} {
		older := rollout.Revision{StableSeq: 1, Promotion: began, LiveAt: testNow}
		in := rollout.Input{Spec: rollout.Spec{Phase: test.phase}, Memory: rollout.Memory{Revisions: []rollout.Revision{older, test.newest}}}
		if got := readLane(in); got != test.want {
			t.Errorf("%s: got lane %d, want %d", name, got, test.want)
		}
	}
}

// Who does not get on does not hold up the others, until somebody wishes something new.
func TestWhoIsStuckIsReadLast(t *testing.T) {
	nothing := func(*v1alpha1.Release) {}
	decision := func(stage rollout.Stage, stalled bool) rollout.Decision {
		return rollout.Decision{Report: rollout.Report{Stage: stage, Conditions: []rollout.Condition{{Type: rollout.CondStalled, True: stalled}}}}
	}
	for name, test := range map[string]struct {
		decision rollout.Decision
		wishes   func(*v1alpha1.Release)
		want     cloud.Lane
	}{
		"gets on":                   {decision(rollout.StagePreview, false), nothing, cloud.LanePromote},
		"stuck":                     {decision(rollout.StagePreview, true), nothing, cloud.LaneLast},
		"in the middle of a switch": {decision(rollout.StageSwitching, true), nothing, cloud.LanePromote},
		"was stuck, and edited":     {decision(rollout.StagePreview, true), func(rel *v1alpha1.Release) { rel.Generation++ }, cloud.LanePromote},
		"was stuck, and asked to retry": {decision(rollout.StagePreview, true), func(rel *v1alpha1.Release) {
			rel.Annotations = map[string]string{v1alpha1.AnnotationRetry: "now"}
		}, cloud.LanePromote},
		"stuck on its way back": {decision(rollout.StageRollingBack, true), nothing, cloud.LaneRollback},
	} {
		rel, known := testRelease(), &recollection{}
		rel.Generation = 3
		known.decided(rel, test.decision)
		test.wishes(rel)
		if got := known.lane(rel, rollout.Input{Spec: rollout.Spec{Phase: rollout.PhaseLive}}); got != test.want {
			t.Errorf("%s: got lane %d, want %d", name, got, test.want)
		}
	}
}

// A rollback has to know whom to put back, also where EC2 does not answer now.
func TestServersOfTheLastGoodReading(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	revision := h.declare(t, rel, 1)
	h.run(rel, "i-1", revision, rollout.RoleStable)
	h.look(t, rel)
	h.ports.sweep = errUnanswered
	world := h.look(t, rel).input.World
	if got := ids(world.Servers); !slices.Equal(got, []string{"i-1"}) || world.ServersErr == "" {
		t.Errorf("servers %v (%s), want the last known, and that they are", got, world.ServersErr)
	}
	h.ports.sweep = nil
	h.ports.servers = nil
	if world = h.look(t, rel).input.World; len(world.Servers) > 0 || world.ServersErr != "" {
		t.Errorf("servers %v (%s), want what EC2 says now", ids(world.Servers), world.ServersErr)
	}
}
