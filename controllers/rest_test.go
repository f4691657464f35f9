package controllers

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/rollout"
)

// resting is a site whose Release has come to rest in Preview, with a sweep over EC2 that was made just now.
func resting(ctx context.Context) *site {
	GinkgoHelper()
	s := newSite(ctx)
	s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPreviewReady)
	for range 10 {
		s.clock.Advance(s.pass(ctx).RequeueAfter)
	}
	s.pass(ctx)
	Expect(s.soft.restNow(s.soft.of(s.rel))).NotTo(BeZero(), "its rest")
	return s
}

// asked counts the calls of an operation, readings too.
func (s *site) asked(action string) (n int) {
	for _, entry := range s.aws.Ledger() {
		if entry.Call != nil && entry.Call.Action == action {
			n++
		}
	}
	return n
}

var _ = Describe("A Release at rest", func() {
	It("is glanced at: its pools are read, and what EC2 said within the last minute will do", func(ctx SpecContext) {
		s := resting(ctx)
		sweeps, health, resolved := s.asked("DescribeInstances"), s.asked("DescribeInstanceHealth"), s.asked("DescribeLoadBalancerAttributes")
		for range 4 {
			s.clock.Advance(10 * time.Second)
			s.pass(ctx)
		}
		Expect(s.asked("DescribeInstances")).To(Equal(sweeps), "sweeps over EC2")
		Expect(s.asked("DescribeInstanceHealth")).To(Equal(health+4*2), "readings of two pools")
		for range 10 {
			s.clock.Advance(s.pass(ctx).RequeueAfter)
		}
		Expect(s.asked("DescribeInstances")).To(BeNumerically("~", sweeps+10, 1), "sweeps over EC2")
		Expect(s.asked("DescribeLoadBalancerAttributes")).To(Equal(resolved), "look-ups of what the pools are")
	})

	It("is glanced at by a process that has just started", func(ctx SpecContext) {
		s := resting(ctx)
		sweeps, resolved, written := s.asked("DescribeInstances"), s.asked("DescribeLoadBalancerAttributes"), s.statusWrites.Load()
		s.restart()
		s.pass(ctx)
		Expect(s.soft.restNow(s.soft.of(s.rel))).NotTo(BeZero(), "its rest")
		Expect(s.asked("DescribeInstances")).To(Equal(sweeps+1), "sweeps over EC2")
		Expect(s.asked("DescribeLoadBalancerAttributes")).To(Equal(resolved), "look-ups of what the pools are")
		Expect(s.statusWrites.Load()).To(Equal(written), "writes")
		s.clock.Advance(time.Minute)
		s.pass(ctx)
		Expect(s.asked("DescribeLoadBalancerAttributes")).To(Equal(resolved+2), "look-ups at the next glance")
		Expect(s.statusWrites.Load()).To(Equal(written), "writes")
	})

	It("loses a server while nobody works, and the process that takes over replaces it in its first pass", func(ctx SpecContext) {
		s := resting(ctx)
		launched := len(s.calls("RunInstances"))
		Expect(s.aws.Kill(s.aws.Instances()[0].ID)).To(Succeed())
		s.clock.Advance(10 * time.Second)
		s.restart()
		resolved := s.asked("DescribeLoadBalancerAttributes")
		s.pass(ctx)
		Expect(s.calls("RunInstances")).To(HaveLen(launched+1), "launches")
		Expect(s.asked("DescribeLoadBalancerAttributes")).To(Equal(resolved+2), "look-ups: what acts goes by no guess")
	})

	It("is looked at anew by a process that heard of its servers before its first pass", func(ctx SpecContext) {
		s := resting(ctx)
		s.restart()
		Expect(s.soft.wake(client.ObjectKeyFromObject(s.rel), s.clock.Now())).To(BeFalse(), "a pass is asked for: the first one is to come anyway")
		resolved := s.asked("DescribeLoadBalancerAttributes")
		s.pass(ctx)
		Expect(s.asked("DescribeLoadBalancerAttributes")).To(Equal(resolved+2), "look-ups")
	})

	It("goes back after a restart, whether AWS says what the load balancers are or not", func(ctx SpecContext) {
		s := resting(ctx)
		s.restart()
		s.pass(ctx)
		s.aws.Inject(localaws.Fault{Action: "DescribeLoadBalancerAttributes", Hang: true})
		s.edit(ctx, func(spec *v1alpha1.ReleaseSpec) { spec.Phase = v1alpha1.PhaseRolledBack })
		began := time.Now()
		s.pass(ctx)
		Expect(time.Since(began)).To(BeNumerically("<", readTimeout/2), "how long the first look took")
		Expect(meta.IsStatusConditionTrue(s.fetch(ctx).Status.Conditions, v1alpha1.ConditionBlind)).To(BeFalse(), "Blind")
	})

	It("has a plan, by a process that has just started, that goes by what its load balancers are", func(ctx SpecContext) {
		s := resting(ctx)
		s.restart()
		s.pass(ctx)
		resolved := s.asked("DescribeLoadBalancerAttributes")
		_, err := s.Plan(ctx, client.ObjectKeyFromObject(s.rel), "")
		Expect(err).NotTo(HaveOccurred())
		Expect(s.asked("DescribeLoadBalancerAttributes")).To(Equal(resolved+2), "look-ups")
	})

	It("is looked at anew where somebody asks for something", func(ctx SpecContext) {
		s := resting(ctx)
		sweeps := s.asked("DescribeInstances")
		s.clock.Advance(2 * time.Second)
		s.edit(ctx, func(spec *v1alpha1.ReleaseSpec) { spec.Replicas = 3 })
		s.pass(ctx)
		Expect(s.asked("DescribeInstances")).To(Equal(sweeps+1), "sweeps over EC2")
		Expect(s.soft.restNow(s.soft.of(s.rel))).To(BeZero(), "its rest")
	})

	It("loses a server, which a pool tells of, and replaces it in the same pass, by a fresh look", func(ctx SpecContext) {
		s := resting(ctx)
		launched, sweeps := len(s.calls("RunInstances")), s.asked("DescribeInstances")
		Expect(s.aws.Kill(s.aws.Instances()[0].ID)).To(Succeed())
		s.clock.Advance(10 * time.Second)
		s.pass(ctx)
		Expect(s.asked("DescribeInstances")).To(Equal(sweeps+1), "sweeps over EC2")
		Expect(s.calls("RunInstances")).To(HaveLen(launched+1), "launches")
	})
})

// A process that has just started glances at what its status shows at rest.
func TestRestedBefore(t *testing.T) {
	rested := func() *v1alpha1.Release {
		rel := describedRelease("web", "RolledBack", metav1.ConditionTrue)
		rel.Generation, rel.Status.ObservedGeneration = 3, 3
		rel.Status.Pools = []v1alpha1.PoolStatus{{Fleets: []v1alpha1.PoolFleetStatus{{Registered: 2}}}}
		return rel
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.Release, *recollection)
		want   bool
	}{
		"at rest":                      {func(*v1alpha1.Release, *recollection) {}, true},
		"edited since":                 {func(rel *v1alpha1.Release, _ *recollection) { rel.Generation++ }, false},
		"not Ready":                    {func(rel *v1alpha1.Release, _ *recollection) { rel.Status.Conditions[0].Status = metav1.ConditionFalse }, false},
		"a server drains":              {func(rel *v1alpha1.Release, _ *recollection) { rel.Status.Pools[0].Fleets[0].Draining = 1 }, false},
		"its servers changed":          {func(_ *v1alpha1.Release, c *recollection) { c.stirred = true }, false},
		"being deleted":                {func(rel *v1alpha1.Release, _ *recollection) { rel.DeletionTimestamp = new(metav1.NewTime(testNow)) }, false},
		"this process has looked":      {func(_ *v1alpha1.Release, c *recollection) { c.stage = rollout.StageSettled }, false},
		"without a word in its status": {func(rel *v1alpha1.Release, _ *recollection) { rel.Status = v1alpha1.ReleaseStatus{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			rel, known := rested(), &recollection{}
			c.change(rel, known)
			if got := new(softMemory).restedBefore(known, rel); got != c.want {
				t.Errorf("it is said to have rested: %t", got)
			}
		})
	}
}

// However many rest, glances at them cost three calls a second, up to where each came later than every three minutes, and six beyond.
func TestRestEvery(t *testing.T) {
	for _, test := range []struct {
		watched, settled int
		isSettled        bool
		want             time.Duration
	}{
		{0, 0, true, time.Minute},
		{0, 180, true, time.Minute},
		{0, 360, true, 2 * time.Minute},
		{0, 540, true, 3 * time.Minute},
		{0, 1080, true, 3 * time.Minute},
		{0, 2000, true, 333 * time.Second},
		{144, 0, false, time.Minute},
		{600, 0, false, 3 * time.Minute},
		{144, 36, true, time.Minute},
		{600, 400, true, 3 * time.Minute},
		{600, 2000, true, 750 * time.Second},
		{600, 2000, false, 3 * time.Minute},
	} {
		if got := restEvery(test.watched, test.settled, test.isSettled).Truncate(time.Second); got != test.want {
			t.Errorf("watched %d, settled %d: each %s, want %s", test.watched, test.settled, got, test.want)
		}
	}
	for watched := 0; watched < 3000; watched += 100 {
		for settled := 0; settled < 3000; settled += 100 {
			w, s := restEvery(watched, settled, false), restEvery(watched, settled, true)
			most := mostCalls
			if max(w, s) < restMost {
				most = restCalls
			}
			if calls := float64(watched)/w.Seconds() + float64(settled)/s.Seconds(); calls > most+0.001 {
				t.Errorf("watched %d, settled %d: %.2f calls a second", watched, settled, calls)
			}
		}
	}
}

// A controller with half of the usual share of AWS's limits glances half as often.
func TestGlancesKeepToTheShare(t *testing.T) {
	for share, want := range map[float64]time.Duration{0: 2 * time.Minute, 0.7: 2 * time.Minute, 0.35: 3 * time.Minute, 1: 84 * time.Second} {
		r := &ReleaseReconciler{Share: share}
		if got := restEvery(r.underUsual(0), r.underUsual(360), true); got != want {
			t.Errorf("of 360 calls with share %g: each %s, want %s", share, got, want)
		}
	}
}

// Of the two generations of load balancers the dearer one counts; what rests in another account or region does not.
func TestRestCost(t *testing.T) {
	m := &softMemory{}
	for name, at := range map[string]rest{
		"a": {generation: 1, account: "1", region: "r", classic: 3}, "b": {generation: 1, account: "1", region: "r", groups: 2},
		"c": {generation: 1, account: "1", region: "r", settled: true, groups: 5}, "d": {generation: 1, account: "1", region: "s", groups: 50},
		"e": {generation: 1, account: "2", region: "r", classic: 50},
	} {
		rel := testRelease()
		rel.Name = name
		m.noteRest(m.of(rel), at)
	}
	if watched, settled := m.restCost("1", "r"); watched != 3 || settled != 5 {
		t.Errorf("watched %d, settled %d", watched, settled)
	}
}

// A server that a sweep shows otherwise wakes its Release if that is at rest: others look anyway.
func TestServersWakeTheirRelease(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	queue := workqueue.NewTypedRateLimitingQueue(afterFailures())
	defer queue.ShutDown()
	if err := h.wakeByServers(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	changed := cloud.Server{Server: rollout.Server{ID: "i-1"}, Release: rel.Namespace + "/" + rel.Name}
	h.ports.changed(changed)
	h.ports.changed(cloud.Server{Server: rollout.Server{ID: "i-2"}, Release: "nobody's"})
	if queue.Len() != 0 {
		t.Fatalf("%d wake up, and none rests", queue.Len())
	}
	h.soft.noteRest(h.soft.of(rel), rest{}) // the first pass, before which its server changed
	h.soft.begins(h.soft.of(rel))
	h.soft.noteRest(h.soft.of(rel), rest{generation: 1})
	h.ports.changed(changed)
	h.ports.changed(changed)
	h.ports.changed(cloud.Server{Server: rollout.Server{ID: "i-3"}, Release: "shop/other"})
	if queue.Len() != 1 {
		t.Fatalf("%d wake up, want one", queue.Len())
	}
	if got, _ := queue.Get(); got != (reconcile.Request{NamespacedName: client.ObjectKeyFromObject(rel)}) {
		t.Errorf("%v wakes up", got)
	}
}

// A server that changed is told of once more when EC2 shows it: the pass that came of the first time, to which EC2 showed nothing, does not keep
// the second one from another. So it is for a Release that never rests; one that is looked at soon anyway is left to that.
func TestServersWakeTheirReleaseOnceMore(t *testing.T) {
	for name, test := range map[string]struct {
		at    rest
		after time.Duration
		want  bool
	}{
		"at rest":        {rest{generation: 1}, time.Minute, true},
		"never at rest":  {rest{}, time.Minute, true},
		"looked at soon": {rest{}, 9 * time.Second, false},
	} {
		m, rel, now := &softMemory{}, testRelease(), time.Unix(1, 0)
		known, of := m.of(rel), client.ObjectKeyFromObject(rel)
		for told := range 2 {
			m.begins(known)
			m.noteRest(known, test.at)
			m.noteDue(known, now.Add(test.after))
			if got := m.wake(of, now.Add(soonEnough)); got != test.want {
				t.Errorf("%s, told %d times before: asks for a pass: %t", name, told, got)
			}
			if m.wake(of, now.Add(soonEnough)) {
				t.Errorf("%s: asks for a pass that was asked for", name)
			}
			now = now.Add(soonEnough)
		}
	}
}

// What changes while a pass goes on, which may have read before it, keeps that pass from leaving the Release at rest.
func TestChangeDuringAPassEndsTheRest(t *testing.T) {
	m, rel := &softMemory{}, testRelease()
	known := m.of(rel)
	m.begins(known)
	m.wake(client.ObjectKeyFromObject(rel), time.Time{})
	m.noteRest(known, rest{generation: 1})
	if m.restNow(known) != (rest{}) {
		t.Error("it rests")
	}
	m.begins(known)
	m.noteRest(known, rest{generation: 1}) // after a pass in which nothing changed
	if m.restNow(known) == (rest{}) {
		t.Error("it does not rest")
	}
}

// A Release rests where there is nothing to do, and nothing that might only seem so.
func TestNothingToDo(t *testing.T) {
	pool := rollout.Pool{ID: "edge", Use: rollout.UseProduction}
	for name, test := range map[string]struct {
		change func(*observation, *rollout.Decision)
		want   bool
	}{
		"nothing":                    {func(*observation, *rollout.Decision) {}, true},
		"no account":                 {func(o *observation, _ *rollout.Decision) { o.account = nil }, false},
		"servers that were not read": {func(o *observation, _ *rollout.Decision) { o.input.World.ServersErr = "throttled" }, false},
		"a pool that was not read":   {func(o *observation, _ *rollout.Decision) { o.input.World.Pools[0].Err = "throttled" }, false},
		"a pool that nobody uses":    {func(o *observation, _ *rollout.Decision) { o.input.World.Pools[0].NotInUse = true }, false},
		"an action":                  {func(_ *observation, d *rollout.Decision) { d.Actions = []rollout.Action{rollout.Tag{}} }, false},
		"a launch that waits for its turn": {func(o *observation, d *rollout.Decision) {
			o.input.World.Underway = []string{"token"}
			d.Actions = []rollout.Action{rollout.Launch{Attempt: rollout.Attempt{Token: "token"}}}
		}, true},
		"a launch that was answered": {func(o *observation, d *rollout.Decision) {
			o.input.World.Underway = []string{"token"}
			d.Actions = []rollout.Action{rollout.Launch{Attempt: rollout.Attempt{Token: "another"}}}
		}, false},
		"a wait":              {func(_ *observation, d *rollout.Decision) { d.After = time.Hour }, false},
		"something to record": {func(_ *observation, d *rollout.Decision) { d.NeedTarget = true }, false},
		"the end":             {func(_ *observation, d *rollout.Decision) { d.Gone = true }, false},
		"something to remember": {func(_ *observation, d *rollout.Decision) {
			d.Memory.Revisions = []rollout.Revision{{Name: "web-2"}}
		}, false},
		"too few that serve": {func(_ *observation, d *rollout.Decision) { d.Report.Lack = new(1) }, false},
		"enough that serve":  {func(_ *observation, d *rollout.Decision) { d.Report.Lack = new(0) }, true},
		"a wait for Complete": {func(o *observation, d *rollout.Decision) {
			d.Report.Live, o.input.Spec.CompleteAfter = true, time.Hour
		}, false},
	} {
		obs, decision := &observation{account: &cloud.Account{}}, rollout.Decision{}
		obs.input.World.Pools = []rollout.Pool{pool}
		test.change(obs, &decision)
		if got := nothingToDo(obs, decision); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A version that is taken back by itself is looked at each minute, however many others rest.
func TestGuardedVersionIsLookedAtEachMinute(t *testing.T) {
	h := newHarness(t, testClass())
	many := testRelease()
	many.Name = "many"
	h.soft.noteRest(h.soft.of(many), rest{generation: 1, account: "1", region: "r", groups: 2000})
	for _, test := range []struct {
		at   rest
		most time.Duration
	}{
		{rest{generation: 1, account: "1", region: "r", guarded: true}, 66 * time.Second},
		{rest{}, 66 * time.Second},
		{rest{generation: 1, account: "2", region: "r"}, 66 * time.Second},
		{rest{generation: 1, account: "1", region: "r"}, time.Hour},
	} {
		got := h.leftAlone(testRelease(), test.at)
		if got > test.most || test.most == time.Hour && got < restMost {
			t.Errorf("%+v: looked at after %s", test.at, got)
		}
	}
}

// EC2 may hide servers for some minutes: what counts is since when a revision has shown none, not how long ago it was looked at before.
func TestEmptyForCountsFromTheFirstEmptyReading(t *testing.T) {
	known, now := &recollection{}, time.Unix(0, 0)
	some := []rollout.Server{{ID: "i-1", Revision: "web-1", State: rollout.StateRunning}}
	known.noteFleets(some, now)
	now = now.Add(time.Hour) // at rest
	known.noteFleets(nil, now)
	if got := known.emptyFor("web-1", now); got != 0 {
		t.Errorf("one empty reading: empty for %s", got)
	}
	now = now.Add(5 * time.Minute)
	known.noteFleets(nil, now)
	if got := known.emptyFor("web-1", now); got != 5*time.Minute {
		t.Errorf("empty for %s", got)
	}
	known.noteFleets(some, now)
	known.noteFleets(nil, now.Add(time.Minute))
	if got := known.emptyFor("web-1", now.Add(2*time.Minute)); got != time.Minute {
		t.Errorf("empty for %s after it was shown again", got)
	}
	if got := known.emptyFor("never shown", now); got != time.Hour+5*time.Minute {
		t.Errorf("one that was never shown is empty for %s", got)
	}
}
