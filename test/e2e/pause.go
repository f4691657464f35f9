package e2e

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// pauses is what spec.paused and other bad times hold up, and what they do not.
var pauses = []Scenario{
	{"completeAfter completes by itself, and counts only good time", completeAfter},
	{"paused in Preview stops everything", pausedPreview},
	{"paused in Live launches nothing for a server that dies", pausedLive},
	{"paused in the middle of a promotion stops its clock", pausedPromotion},
	{"a rollback under paused", pausedRollback},
	{"deletion with Terminate under paused", func(w *World) {
		w.Live(terminating)
		w.Pause(true)
		deleteAll(w)
	}},
}

// Pause sets spec.paused and lets the controller see it.
func (w *World) Pause(paused bool) {
	w.Helper()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Paused = paused })
	w.Pass(time.Second)
}

// completeAfter: of 20 min, 10 pass at first; then come a sick candidate, a pause and a load balancer that cannot be read, which
// do not count, with 3 min between them each.
func completeAfter(w *World) {
	w.InPreview(func(rel *v1alpha1.Release) {
		rel.Spec.Retention.CompleteAfter = metav1.Duration{Duration: 20 * time.Minute}
	})
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
	completes := func() bool {
		return w.Release("web").Status.EffectivePhaseReason == v1alpha1.EffectiveByCompleteAfter
	}
	keeps := func(d time.Duration, what string) {
		w.For(d, "v1 is kept "+what, func() bool { return len(w.Servers("v1")) == 2 && !completes() })
	}
	keeps(10*time.Minute, "at first")
	w.Answer("v2", 500)
	keeps(12*time.Minute, "while v2 is sick")
	w.Answer("v2", 200)
	w.Until("v2 is well again", func() bool { return w.Ready("web") })
	keeps(3*time.Minute, "after that")
	w.Pause(true)
	keeps(12*time.Minute, "while it is paused")
	w.Pause(false)
	keeps(3*time.Minute, "after the pause")
	permit := w.AWS.Deny("elasticloadbalancing:DescribeInstanceHealth")
	w.Until("it is blind", func() bool { return w.Is("web", v1alpha1.ConditionBlind) })
	keeps(12*time.Minute, "while nothing can be seen")
	permit()
	w.Until("it sees again", func() bool { return w.Ready("web") })
	keeps(2*time.Minute, "to the end of the twenty minutes")
	left := 3 * time.Minute
	if w.troubled() { // a process takes the good minutes with it since the last noted: ten at most, and of two processes three more
		left += 14 * time.Minute
	}
	w.UntilWithin("twenty good minutes have passed", left, completes)
	w.Until("v1 is gone", func() bool { return len(w.Servers("v1")) == 0 && w.Ready("web") })
	w.Converged("web")
}

func pausedPreview(w *World) {
	w.InPreview()
	w.Pause(true)
	w.Mark()
	w.Phase("web", v1alpha1.PhaseLive)
	w.For(30*time.Minute, "v1 serves", func() bool { return w.Serves("v1") })
	w.expect(len(w.Mutations()) == 0, "no call was made: %v", w.Mutations())
	w.Converged("web")
	w.Pause(false)
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
}

func pausedLive(w *World) {
	w.Live()
	w.Pause(true)
	w.Mark()
	w.must("kill", w.AWS.Kill(w.Servers("v2")[0].ID))
	w.For(20*time.Minute, "nothing is launched", func() bool { return w.Launched() == 4 && len(w.Servers("v2")) == 1 })
	w.expect(len(w.Mutations()) == 0, "no call was made: %v", w.Mutations())
	w.Pause(false)
	w.Until("v2 is whole again", func() bool { return w.Ready("web") && w.Serves("v2") && w.Launched() == 5 })
}

// pausedPromotion: v2 falls sick before the gate, and is sick for 5 of the 10 min that a promotion may take, with a pause of 20
// min between.
func pausedPromotion(w *World) {
	w.Promoting()
	w.Answer("v2", 500)
	w.Pass(2 * time.Minute)
	w.Pause(true)
	w.Mark()
	w.For(20*time.Minute, "both stay", func() bool { return w.inBoth("v1") && w.inBoth("v2") })
	w.expect(len(w.Mutations()) == 0, "no call was made: %v", w.Mutations())
	w.Pause(false)
	w.For(5*time.Minute, "there is no verdict", func() bool {
		return w.inBoth("v1") && w.inBoth("v2") && !w.Stalled("web", v1alpha1.ReasonPromotionFailed)
	})
	w.Answer("v2", 200)
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
}

func pausedRollback(w *World) {
	w.Live()
	w.Until("the test pool is empty", func() bool { return w.Empty(testPool) })
	w.Pause(true)
	w.Steady("v1", "v2")
	w.Mark()
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("v1 serves, and v2 is on the test pool", 3*time.Minute, func() bool { return w.Serves("v1") && w.Only(testPool, "v2") })
	w.count("rollback", map[string]int{
		registerClassic: 2, registerTargets: 1,
		deregisterClassic: 1, deregisterTargets: 1,
	})
	w.Steady("v1")
	w.For(10*time.Minute, "it stays so", func() bool { return w.Serves("v1") && w.Only(testPool, "v2") })
	w.Pause(false)
	w.Converged("web")
	w.expect(rejected.rests(w) && w.Launched() == 4, "it is as it was under the pause")
}
