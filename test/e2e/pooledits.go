package e2e

import (
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

// poolEdits makes scenarios for adding, removing and swapping pools, in each phase.
func poolEdits() []Scenario {
	return concat(
		each("a production pool is added, then another removed", addThenRemove),
		each("a production pool is swapped for another", swapped),
		[]Scenario{
			{"a production pool is removed in the middle of a promotion", removedPromoting},
			{"a test pool is added, swapped and removed, in Preview", testPoolEdits},
			{"a test pool is added in RolledBack, and the candidate is there for a look", func(w *World) {
				w.MakeClassic("test-extra", true)
				w.RolledBack()
				w.Edit("web", func(rel *v1alpha1.Release) {
					rel.Spec.LoadBalancers.Test = append(rel.Spec.LoadBalancers.Test, Classic("extra", "test-extra"))
				})
				w.Until("v2 is on both test pools", func() bool { return w.inProduction("test-extra", "v2") && w.inProduction("test", "v2") })
				w.expect(w.Ready("web") && w.Serves("v1"), "v1 serves")
				w.Converged("web")
			}},
		},
	)
}

func addThenRemove(w *World, m moment) {
	w.MakeClassic("extra", true)
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Production = append(rel.Spec.LoadBalancers.Production, Classic("extra", "extra"))
	})
	w.Until("the new pool is filled with what production has", func() bool {
		return w.Ready("web") && w.inProduction("extra", m.serves) && w.Serves(m.serves)
	})
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Production = []v1alpha1.Pool{Classic("edge", "edge"), Classic("extra", "extra")}
	})
	w.For(10*time.Minute, "the pool that left the spec keeps its servers", func() bool { return w.Registered("api", m.serves) == 2 })
	w.expect(w.Ready("web"), "the Release is ready")
	w.Deploy("web", "v9", v1alpha1.PhaseComplete)
	w.Until("the old fleet is drained from it and gone", func() bool { return len(w.Servers(m.serves)) == 0 && w.Only("extra", "v9") })
	w.expect(w.Registered("api", "v9") == 0, "nobody joined the released pool")
}

// swapped: the pool keeps its name in the spec, and is another load balancer from now on.
func swapped(w *World, m moment) {
	w.MakeClassic("extra", true)
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Production = []v1alpha1.Pool{Classic("edge", "extra"), Group("api", "api")}
	})
	w.Until("the new one is filled with what production has", func() bool {
		return w.Ready("web") && w.inProduction("extra", m.serves) && w.inProduction("api", m.serves)
	})
	w.expect(w.Versions("edge")[m.serves] == 2, "the old one keeps its servers")
	w.Converged("web")
	if m.beside == "" {
		return
	}
	other := v1alpha1.PhaseLive
	if m.serves == "v2" {
		other = v1alpha1.PhaseRolledBack
	}
	w.Phase("web", other)
	w.Until("the other fleet can be given the new one", func() bool { return w.inProduction("extra", m.beside) && w.inProduction("api", m.beside) })
	w.expect(w.Launched() == 4, "nothing was launched for it")
}

func removedPromoting(w *World) {
	w.Promoting()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Production = []v1alpha1.Pool{Classic("edge", "edge")}
	})
	w.Until("v2 is Live in what is left", func() bool { return w.Ready("web") && w.inProduction("edge", "v2") && w.Empty("test") })
	w.expect(w.Registered("api", "v1") > 0, "the pool that left the spec is not emptied")
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("v1 is drained from it and gone", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 0 })
	w.expect(len(w.Servers("v2")) == 2 && w.inProduction("edge", "v2"), "v2 serves")
}

func testPoolEdits(w *World) {
	w.MakeClassic("test-extra", true)
	w.MakeClassic("test-other", true)
	w.InPreview()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Test = append(rel.Spec.LoadBalancers.Test, Classic("extra", "test-extra"))
	})
	w.Until("v2 is on both test pools", func() bool {
		return w.Is("web", v1alpha1.ConditionPreviewReady) && w.inProduction("test-extra", "v2") && w.inProduction("test", "v2")
	})
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Test = []v1alpha1.Pool{Classic("test", "test-other"), Classic("extra", "test-extra")}
	})
	w.Until("v2 is on the new one", func() bool { return w.Is("web", v1alpha1.ConditionPreviewReady) && w.inProduction("test-other", "v2") })
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Test = []v1alpha1.Pool{Classic("test", "test-other")}
	})
	w.Until("it is ready without the other", func() bool { return w.Ready("web") })
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("v2 is complete", func() bool { return w.Ready("web") && w.Serves("v2") && len(w.Servers("v1")) == 0 })
	w.Until("the test pool is empty", func() bool { return w.Empty("test-other") })
	w.expect(w.Launched() == 4, "nothing was launched for any of it")
	w.Converged("web")
}
