package e2e

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// versions is what new versions, old versions and phases do to each other.
var versions = concat(oneAfterAnother, midway(), hindsight(), backToStable())

var oneAfterAnother = []Scenario{
	{"straight to Live with phaseFor, through Preview", func(w *World) {
		w.Settled()
		previewed := false
		w.Deploy("web", "v2", v1alpha1.PhaseLive)
		w.Until("v2 is Live", func() bool {
			previewed = previewed || (w.Only("test", "v2") && w.Serves("v1"))
			return w.Ready("web") && w.Serves("v2")
		})
		w.expect(previewed, "v2 was in Preview on the way")
		w.expect(len(w.Servers("v1")) == 2, "v1 stands by")
	}},
	{"straight to Complete with phaseFor, through Preview and Live", func(w *World) {
		w.Settled()
		w.Steady("v1", "v2")
		previewed := false
		w.Deploy("web", "v2", v1alpha1.PhaseComplete)
		w.Until("v2 is complete", func() bool {
			previewed = previewed || (w.Only("test", "v2") && w.Serves("v1"))
			w.expect(w.Serves("v2") || len(w.Servers("v1")) == 2, "v1 runs until v2 is whole in both pools")
			return w.Ready("web") && len(w.Servers("v1")) == 0
		})
		w.expect(previewed, "v2 was in Preview on the way")
		w.expect(w.Serves("v2") && w.Empty("test"), "v2 serves")
		w.Converged("web")
	}},
	{"phaseFor left behind under Live stops at Preview", func(w *World) { w.Live(); leftBehind(w, v1alpha1.PhaseLive) }},
	{"phaseFor left behind under Complete stops at Preview", func(w *World) {
		w.Live()
		w.Phase("web", v1alpha1.PhaseComplete)
		w.Until("v2 is complete", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 0 })
		leftBehind(w, v1alpha1.PhaseComplete)
	}},
	{"no phase at all asks for a Preview, and takes nothing Live out of production", func(w *World) {
		w.Settled()
		w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", "", "" })
		w.Until("v2 is ready in Preview", func() bool { return w.Ready("web") && w.Only("test", "v2") })
		w.expect(w.Serves("v1"), "v1 serves")
		w.Phase("web", v1alpha1.PhaseLive)
		w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
		w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = "", "" })
		w.For(5*time.Minute, "v2 serves without a phase", func() bool { return w.Serves("v2") })
		w.expect(w.Ready("web"), "the Release is ready")
	}},
	{"an explicit Preview on a Live candidate is a rollback", func(w *World) {
		w.Live()
		w.Phase("web", v1alpha1.PhasePreview)
		w.Until("v1 serves and v2 is in Preview", func() bool { return w.Ready("web") && w.Serves("v1") && w.Only("test", "v2") })
	}},
	{"a newer version while the last one is in Preview: the newest wins", func(w *World) {
		w.InPreview()
		w.Deploy("web", "v3", v1alpha1.PhasePreview)
		w.Until("v3 is ready in Preview", func() bool { return w.Ready("web") && w.Only("test", "v3") })
		w.expect(w.Serves("v1"), "v1 serves")
		w.Until("v2 is gone", func() bool { return len(w.Servers("v2")) == 0 })
		w.Converged("web")
	}},
	{"a newer version while one is Live, and back to the one before", func(w *World) {
		w.Live()
		w.Deploy("web", "v3", v1alpha1.PhasePreview)
		w.Until("v3 is ready in Preview", func() bool { return w.Ready("web") && w.Only("test", "v3") })
		w.For(2*time.Minute, "v2 serves and v1 is kept", func() bool { return w.Serves("v2") && len(w.Servers("v1")) == 2 })
		launched := w.Launched()
		w.Steady("v1", "v2")
		w.Deploy("web", "v1", v1alpha1.PhaseLive)
		w.Until("v1 is Live again", func() bool { return w.Ready("web") && w.Serves("v1") })
		w.Until("v3 is gone", func() bool { return len(w.Servers("v3")) == 0 })
		w.expect(len(w.Servers("v2")) == 2 && w.Is("web", v1alpha1.ConditionRollbackAvailable), "v2 stands by")
		w.Phase("web", v1alpha1.PhaseRolledBack)
		w.Until("v2 serves again", func() bool { return w.Ready("web") && w.Serves("v2") && w.Only("test", "v1") })
		w.expect(w.Launched() == launched, "nothing was launched for any of it")
		w.Converged("web")
	}},
	{"at most three fleets: the oldest goes when the newest is Live", func(w *World) {
		w.Live()
		w.Deploy("web", "v3", v1alpha1.PhasePreview)
		w.Until("v3 is ready in Preview", func() bool { return w.Ready("web") && w.Only("test", "v3") })
		w.For(3*time.Minute, "v1 is there to go back to from v2", func() bool { return len(w.Servers("v1")) == 2 })
		w.Phase("web", v1alpha1.PhaseLive)
		w.Until("v3 is Live", func() bool { return w.Ready("web") && w.Serves("v3") })
		w.Until("v1 is gone", func() bool { return len(w.Servers("v1")) == 0 })
		w.expect(len(w.Servers("v2")) == 2, "v2 stands by")
		w.Phase("web", v1alpha1.PhaseRolledBack)
		w.Until("v2 serves", func() bool { return w.Ready("web") && w.Serves("v2") })
	}},
	{"back to the version that was Live, while a newer one is in Preview", func(w *World) {
		w.Live()
		w.Deploy("web", "v3", v1alpha1.PhasePreview)
		w.Until("v3 is ready in Preview", func() bool { return w.Ready("web") && w.Only("test", "v3") })
		w.Deploy("web", "v2", v1alpha1.PhaseLive)
		w.Until("v3 is gone", func() bool { return len(w.Servers("v3")) == 0 && w.Ready("web") })
		w.expect(w.Serves("v2") && len(w.Servers("v1")) == 2, "v2 is Live and v1 its fallback, as before")
		w.expect(w.Is("web", v1alpha1.ConditionRollbackAvailable), "a rollback is available")
	}},
	{"a newer version while RolledBack", func(w *World) {
		w.Live()
		w.Phase("web", v1alpha1.PhaseRolledBack)
		w.Until("v1 serves", func() bool { return w.Ready("web") && w.Serves("v1") })
		w.Deploy("web", "v3", v1alpha1.PhasePreview)
		w.Until("v3 is ready in Preview", func() bool { return w.Ready("web") && w.Only("test", "v3") })
		w.expect(w.Serves("v1"), "v1 serves")
		w.Until("v2 is gone", func() bool { return len(w.Servers("v2")) == 0 })
	}},
	{"a promotion that never gets healthy is undone with a verdict, and tried again on request", func(w *World) {
		w.InPreview(func(rel *v1alpha1.Release) { rel.Spec.Health.Timeout = metav1.Duration{Duration: time.Minute} })
		w.Phase("web", v1alpha1.PhaseLive)
		w.Until("v2 is registered in production", func() bool { return len(w.Members("api")) == 4 })
		w.Answer("v2", 500)
		w.Until("the promotion failed", func() bool { return w.Stalled("web", v1alpha1.ReasonPromotionFailed) })
		w.Until("v1 serves alone", func() bool {
			return w.Serves("v1") && len(w.Members("test")) == 2 && w.Registered(edgePool, "v2") == 0 && w.Registered(apiPool, "v2") == 0
		})
		w.expect(!w.Ready("web"), "the Release is not ready")
		w.Answer("v2", 200)
		w.For(5*time.Minute, "the verdict stands", func() bool { return w.Serves("v1") })
		w.Edit("web", func(rel *v1alpha1.Release) {
			metav1.SetMetaDataAnnotation(&rel.ObjectMeta, v1alpha1.AnnotationRetry, "1")
		})
		w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
	}},
}

// leftBehind: the next version under a phase that was meant for v2 stops at Preview, until phaseFor names it.
func leftBehind(w *World, phase v1alpha1.Phase) {
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Version = "v3" }) // phaseFor stays v2
	w.Until("v3 is ready in Preview", func() bool { return w.Ready("web") && w.Only("test", "v3") })
	w.For(5*time.Minute, "v2 serves on", func() bool { return w.Serves("v2") })
	w.expect(w.Release("web").Status.EffectivePhaseReason == v1alpha1.EffectiveByPhaseFor, "status says that phaseFor decided")
	w.expect(w.Release("web").Spec.Phase == phase, "the phase in Git still says %s", phase)
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.PhaseFor = "v3" })
	w.Until("v3 serves", func() bool { return w.Ready("web") && w.Serves("v3") && w.Empty("test") })
	left := map[v1alpha1.Phase]int{v1alpha1.PhaseLive: 2}[phase]
	w.Until("v2 stands by, or is gone", func() bool { return len(w.Servers("v2")) == left })
}
