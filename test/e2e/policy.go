package e2e

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// policy is what people ask for beside versions and phases: pause, override, retention, size.
var policy = concat(
	[]Scenario{
		{"completeAfter completes by itself, and counts only good time", completeAfter},
		{"paused stops everything", paused},
		{"a rollback under paused", pausedRollback},
		{"an override rolls back against the spec, and ends when it expires", override},
		{"status is wiped after a verdict, and the verdict stands", wipedVerdict},
		{"the controller is restarted after every fifth pass", restarted},
		{"a crash in the middle of Complete: once begun it is finished, whatever the phase says", crashInComplete},
		{"Complete straight from RolledBack is refused with the ways out", completeFromRolledBack},
	},
	scaling(),
	[]Scenario{
		{"scale down, then up, in the middle of a promotion", scaleDownPromoting},
		{"scale up and down in RolledBack: the stable fleet follows, and nothing is launched for the candidate", scaleRolledBack},
	},
)

func completeAfter(w *World) {
	w.InPreview(func(rel *v1alpha1.Release) {
		rel.Spec.Retention.CompleteAfter = metav1.Duration{Duration: 20 * time.Minute}
	})
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
	w.Pass(10 * time.Minute)
	w.Answer("v2", 500)
	w.Pass(12 * time.Minute) // not good time
	w.expect(len(w.Servers("v1")) == 2, "v1 is kept while v2 is sick")
	w.Answer("v2", 200)
	w.For(8*time.Minute, "v1 is kept until the twenty minutes are full", func() bool { return len(w.Servers("v1")) == 2 })
	w.Until("v1 is gone", func() bool { return len(w.Servers("v1")) == 0 })
	w.expect(w.Release("web").Status.EffectivePhaseReason != "", "status says which phase counts")
	w.Converged("web")
}

func paused(w *World) {
	w.InPreview()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Paused = true })
	w.Pass(time.Minute)
	w.Mark()
	w.Phase("web", v1alpha1.PhaseLive)
	w.For(30*time.Minute, "v1 serves", func() bool { return w.Serves("v1") })
	w.expect(len(w.Mutations()) == 0, "no call was made: %v", w.Mutations())
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Paused = false })
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
}

func pausedRollback(w *World) {
	w.Live()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Paused = true })
	w.Pass(time.Minute)
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("v1 serves", 3*time.Minute, func() bool { return w.Serves("v1") })
}

func override(w *World) {
	w.Live()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Override = &v1alpha1.PhaseOverride{
			Revision: string(rel.Status.Candidate.Revision), Phase: v1alpha1.PhaseRolledBack, Reason: "checkout answers 500", By: "alice",
			ExpiresAt: metav1.NewTime(w.Clock.Now().Add(time.Hour)),
		}
	})
	w.UntilWithin("v1 serves", 3*time.Minute, func() bool { return w.Serves("v1") })
	w.expect(w.Release("web").Spec.Phase == v1alpha1.PhaseLive, "the phase in Git still says Live")
	w.For(40*time.Minute, "v1 serves", func() bool { return w.Serves("v1") })
	w.Until("the override has expired and v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
}

// wipe empties the status, as a restore from a backup does.
func (w *World) wipe() {
	w.Helper()
	rel := w.Release("web")
	rel.Status = v1alpha1.ReleaseStatus{}
	w.must("wipe status", w.Kube.Status().Update(w.Context(), rel))
	w.touch(rel)
}

func wipedVerdict(w *World) {
	w.Live(func(rel *v1alpha1.Release) { rel.Spec.Promotion.AutoRollback = true })
	w.Answer("v2", 500)
	w.Until("v2 was taken back", func() bool {
		return w.Only("edge", "v1") && w.Registered("edge", "v2") == 0 && w.Registered("api", "v2") == 0
	})
	w.Answer("v2", 200)
	w.wipe()
	w.For(5*time.Minute, "v1 serves", func() bool { return w.Serves("v1") })
	w.expect(w.Stalled("web", v1alpha1.ReasonAutoRolledBack), "the verdict stands")
}

func restarted(w *World) {
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, "v1" }))
	w.restartingUntil("v1 is complete", func() bool { return w.Ready("web") && w.Serves("v1") })
	w.Deploy("web", "v2", v1alpha1.PhaseLive)
	w.restartingUntil("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.restartingUntil("v1 serves", func() bool { return w.Ready("web") && w.Serves("v1") })
	w.expect(w.Launched() == 4, "nothing was launched twice")
}

// restartingUntil drives the world and restarts the controller after every fifth pass: two in a row must be left, or the
// confirming reading of a promotion never comes.
func (w *World) restartingUntil(what string, holds func() bool) {
	w.Helper()
	at := w.passes
	w.Until(what, func() bool {
		if w.passes >= at+5 {
			at = w.passes
			w.Restart()
		}
		return holds()
	})
}

func crashInComplete(w *World) {
	w.Live()
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("Complete has begun", func() bool { return w.Release("web").Status.Candidate == nil })
	w.Restart()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseRolledBack, "" })
	w.Until("v1 is gone", func() bool { return len(w.Servers("v1")) == 0 })
	w.expect(w.Serves("v2"), "v2 serves")
	w.Until("it says that there is nothing to go back to", func() bool { return w.Stalled("web", v1alpha1.ReasonNothingToRollBackTo) })
}

func completeFromRolledBack(w *World) {
	w.Live()
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("v1 serves", func() bool { return w.Ready("web") && w.Serves("v1") })
	err := w.TryEdit("web", func(rel *v1alpha1.Release) { rel.Spec.Phase = v1alpha1.PhaseComplete })
	w.expect(apierrors.IsInvalid(err), "the API server refuses it: %v", err)
}

// scaling makes a scenario for scaling up and down in each phase.
func scaling() []Scenario {
	all := make([]Scenario, 0, 4)
	for _, p := range []moment{complete, preview, live, promoting} {
		all = append(all, Scenario{"scale up and down " + p.name, func(w *World) {
			p.enter(w)
			for _, n := range []int{4, 1} {
				w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Replicas = int32(n) })
				w.Until("the fleets have the new size", func() bool {
					right := len(w.Servers(p.serves)) == n && (p.beside == "" || len(w.Servers(p.beside)) == n)
					return right && w.Ready("web") && w.Serves(p.serves) && w.Versions("edge")[p.serves] == n
				})
			}
			w.Converged("web")
		}})
	}
	return all
}

func scaleDownPromoting(w *World) {
	w.Promoting()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Replicas = 1 })
	w.Until("one server of v2 serves, and one of v1 stands by", func() bool {
		return w.Ready("web") && w.Serves("v2") && len(w.Servers("v2")) == 1 && len(w.Servers("v1")) == 1
	})
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Replicas = 3 })
	w.Until("three of each", func() bool {
		return w.Ready("web") && w.Serves("v2") && w.Versions("edge")["v2"] == 3 && w.Versions("api")["v2"] == 3 && len(w.Servers("v1")) == 3
	})
	w.expect(w.Launched() == 8, "no server too many was launched")
	w.Converged("web")
}

func scaleRolledBack(w *World) {
	w.RolledBack()
	for _, n := range []int{4, 1} {
		w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Replicas = int32(n) })
		w.Until("the stable fleet has the new size", func() bool {
			return w.Ready("web") && w.Serves("v1") && len(w.Servers("v1")) == n && w.Versions("edge")["v1"] == n && w.Versions("api")["v1"] == n
		})
		w.expect(w.Launched() == 6, "nothing was launched but two of v1")
	}
	w.Converged("web")
	w.expect(w.Only("test", "v2"), "v2 is there for a look")
}
