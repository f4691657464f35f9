package e2e

import (
	"slices"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// sickness is what happens when servers run and do not answer as they should.
var sickness = []Scenario{
	{"a standby of which one server is sick at rollback", sickStandby},
	{"a standby that is all sick at rollback: both stay, and mended it goes on by itself", allStandbySick},
	{"a rollback waits for the target group, where nobody can be registered", backInAll("elbv2:RegisterTargets")},
	{"a rollback waits for the classic load balancer, where nobody can be registered", backInAll("elb:RegisterInstancesWithLoadBalancer")},
	{"auto-rollback when the live candidate falls sick", autoRollback},
	{"no auto-rollback while servers boot that were asked for since", scaledUpLive},
	{"no auto-rollback when both fleets are equally sick, until stable is mended", bothSick},
	{"no auto-rollback to a fleet that is all sick", bothDead},
	{"Complete is refused while the candidate is sick", completeRefused},
}

func autoRollingBack(rel *v1alpha1.Release) { rel.Spec.Promotion.AutoRollback = true }

func sickStandby(w *World) {
	w.Live()
	w.must("make one sick", w.AWS.SetAppStatus(w.Servers("v1")[0].ID, 500))
	w.Steady("v1", "v2")
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("the healthy one carries the rollback", 4*time.Minute, func() bool {
		return w.From(edgePool, "v1", 1) && w.From(apiPool, "v1", 1)
	})
	w.Until("v2 is on the test pool", func() bool { return w.Only(testPool, "v2") })
	w.expect(!w.Ready("web"), "one of two is not enough to be ready")
}

// allStandbySick: a stranger in the pools is healthy, which helps nobody.
func allStandbySick(w *World) {
	w.Stranger(edgePool, apiPool)
	w.Live()
	w.Answer("v1", 500)
	w.Steady("v1", "v2")
	w.Mark()
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("it says that both stay", func() bool { return w.Stalled("web", v1alpha1.ReasonUnsafe) })
	w.expect(w.Says("web", v1alpha1.ConditionStalled, "v1"), "and names the version")
	w.For(5*time.Minute, "both versions are registered in both pools", func() bool { return w.inBoth("v1") && w.inBoth("v2") })
	w.expect(w.Launched() == 4, "nothing was launched")
	w.Answer("v1", 200)
	w.Until("mended, it goes on by itself", func() bool { return w.Ready("web") && w.Serves("v1") && w.Only(testPool, "v2") })
}

// backInAll: v1 is healthy in one production pool, and not in the other: that is no reason to take v2 out of either.
func backInAll(refused string) func(w *World) {
	return func(w *World) {
		w.Live()
		w.Pass(2 * time.Minute)
		fault, err := w.AWS.InjectText(refused + " before=503:ServiceUnavailable")
		w.must("refuse "+refused, err)
		w.Steady("v1", "v2")
		w.Phase("web", v1alpha1.PhaseRolledBack)
		w.For(5*time.Minute, "v2 stays in both pools", func() bool { return w.inBoth("v2") })
		fault.Remove()
		w.Until("v1 serves again", func() bool { return w.Ready("web") && w.Serves("v1") && w.Only(testPool, "v2") })
	}
}

func autoRollback(w *World) {
	w.Live(autoRollingBack)
	w.Answer("v2", 500)
	w.UntilWithin("v1 serves alone", 5*time.Minute, func() bool { // a sick v2 that is still registered serves when it is mended
		return w.Serves("v1") && w.Registered(edgePool, "v2") == 0 && w.Registered(apiPool, "v2") == 0
	})
	w.Until("it says so", func() bool { return w.Stalled("web", v1alpha1.ReasonAutoRolledBack) })
	w.expect(w.Release("web").Spec.Phase == v1alpha1.PhaseLive, "the spec is not written")
	w.Answer("v2", 200)
	w.For(5*time.Minute, "the verdict stands", func() bool { return w.Serves("v1") })
	w.Phase("web", v1alpha1.PhasePreview) // a person clears it
	w.Until("v2 is in Preview", func() bool { return w.Ready("web") && w.Only(testPool, "v2") })
}

// scaledUpLive: the fleet that stands by has its new servers as soon as they run, and the one that serves as soon as they answer. From then on
// one sick server is one too many.
func scaledUpLive(w *World) {
	w.Live(autoRollingBack)
	before := w.Servers("v2")
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Replicas = 3 })
	w.Until("another server is launched", func() bool { return len(w.Servers("v2")) == 3 })
	old := func(s localaws.InstanceInfo) bool {
		return slices.ContainsFunc(before, func(b localaws.InstanceInfo) bool { return b.ID == s.ID })
	}
	newcomer := slices.DeleteFunc(w.Servers("v2"), old)[0]
	w.must("let it take long", w.AWS.SetAppStatus(newcomer.ID, 503))
	w.Steady("v2")
	w.For(3*time.Minute, "v2 serves alone", func() bool {
		return len(w.Servers("v1")) <= 3 && w.Registered(edgePool, "v1") == 0 && w.Registered(apiPool, "v1") == 0 && !w.Is("web", v1alpha1.ConditionStalled)
	})
	w.must("let it answer", w.AWS.SetAppStatus(newcomer.ID, 200))
	w.Until("three serve", func() bool { return w.Ready("web") && w.Serves("v2") })
	w.Steady("v1", "v2")
	w.must("make it sick", w.AWS.SetAppStatus(newcomer.ID, 500))
	w.UntilWithin("v1 serves alone", 5*time.Minute, func() bool { return w.Serves("v1") && w.leftProduction() })
}

// bothSick: one of two is healthy in each fleet. The candidate is rejected, and stays where stable is no healthier.
func bothSick(w *World) {
	w.Live(autoRollingBack)
	for _, version := range []string{"v1", "v2"} {
		w.must("make one sick", w.AWS.SetAppStatus(w.Servers(version)[0].ID, 500))
	}
	w.Steady("v1", "v2")
	w.For(5*time.Minute, "v2 stays in production", func() bool { return w.inBoth("v2") })
	w.expect(w.Stalled("web", v1alpha1.ReasonAutoRolledBack), "it is stalled")
	w.expect(w.Says("web", v1alpha1.ConditionStalled, "version v2 had 1 of 2", "not less healthy", "spec.phase"), "it says what holds it up, and what to do")
	w.expect(!w.Ready("web"), "it is not ready")
	w.Answer("v1", 200)
	w.Until("stable is healthier now, and v2 leaves", func() bool { return w.Serves("v1") && w.leftProduction() })
	w.Until("the verdict is told", func() bool { return w.Stalled("web", v1alpha1.ReasonAutoRolledBack) })
}

func bothDead(w *World) {
	w.Live(autoRollingBack)
	w.Answer("v1", 500)
	w.Answer("v2", 500)
	w.For(5*time.Minute, "v2 stays in production", func() bool { return w.inBoth("v2") })
	w.expect(!w.Ready("web") && w.Is("web", v1alpha1.ConditionStalled), "it is stalled")
}

func completeRefused(w *World) {
	w.Live()
	w.must("make one sick", w.AWS.SetAppStatus(w.Servers("v2")[0].ID, 500))
	w.Pass(2 * time.Minute)
	w.Steady("v2")
	w.Phase("web", v1alpha1.PhaseComplete)
	w.For(5*time.Minute, "v1 is kept", func() bool { return len(w.Servers("v1")) == 2 })
	w.expect(w.Stalled("web", v1alpha1.ReasonUnhealthy), "it says why")
	w.Converged("web")
	w.Answer("v2", 200)
	w.Until("v2 is complete", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 0 })
}
