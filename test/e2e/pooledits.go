package e2e

import (
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

// poolEdits makes scenarios for adding, removing and swapping pools, in each phase.
func poolEdits() []Scenario {
	return concat(
		each("a production pool is added, then another removed", addThenRemove),
		each("production pools are swapped for others of the other kind", swapped),
		at([]moment{promoting, live, complete}, "test pools are swapped and added", testPoolsEdited),
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
	w.MakeTargetGroup("extra-group")
	w.MakeListener("extra-group", "extra-group")
	w.Steady(m.steady()...)
	more := []v1alpha1.Pool{Classic("extra", "extra"), Group("extra-group", "extra-group")}
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Production = append(rel.Spec.LoadBalancers.Production, more...)
	})
	w.Until("the new pools are filled with what production has", func() bool {
		return w.inProduction("extra", m.serves) && w.inProduction("extra-group", m.serves) && m.rests(w)
	})
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Production = append([]v1alpha1.Pool{Classic("edge", "edge")}, more...)
	})
	w.For(10*time.Minute, "the pool that left the spec keeps its servers", func() bool { return w.Registered("api", m.serves) == 2 })
	w.expect(w.Ready("web") && w.released("api"), "the Release is ready, and status shows the pool as released")
	production := []string{"edge", "extra", "extra-group"}
	w.SteadyIn(production, m.serves, "v9")
	w.Deploy("web", "v9", v1alpha1.PhaseComplete)
	w.Until("the old fleets are gone", func() bool {
		w.expect(w.Registered("api", "v9") == 0, "nobody joins the released pool")
		return len(w.Servers("")) == 2 && w.Ready("web")
	})
	for _, pool := range production {
		w.expect(w.inProduction(pool, "v9"), "v9 serves in %s", pool)
	}
	w.expect(w.Empty("api") && !w.released("api"), "the released pool is empty, and forgotten")
	w.Converged("web")
}

// released reports whether status shows a load balancer or target group as a pool that is being let go.
func (w *World) released(balancer string) bool {
	w.Helper()
	return slices.ContainsFunc(w.Release("web").Status.Pools, func(p v1alpha1.PoolStatus) bool {
		same := p.Reference == balancer || strings.Contains(p.Reference, ":targetgroup/"+balancer+"/")
		return same && p.Role == "released"
	})
}

// swapped: two pools keep their names in the spec, and each is a load balancer of the other kind from now on.
func swapped(w *World, m moment) {
	w.MakeClassic("extra", true)
	w.MakeTargetGroup("extra-group")
	w.MakeListener("extra-group", "extra-group")
	w.Steady(m.steady()...)
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.LoadBalancers.Production[0] = Group("edge", "extra-group") })
	w.Until("the target group is filled with what production has", func() bool {
		return w.Ready("web") && w.inProduction("extra-group", m.serves) && w.inProduction("api", m.serves)
	})
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.LoadBalancers.Production[1] = Classic("api", "extra") })
	w.Until("and the classic one", func() bool {
		return w.Ready("web") && w.inProduction("extra-group", m.serves) && w.inProduction("extra", m.serves)
	})
	w.expect(w.Registered("edge", m.serves) == 2 && w.Registered("api", m.serves) == 2, "the old ones keep their servers")
	w.expect(w.released("edge") && w.released("api"), "and status shows them as released")
	w.SteadyIn([]string{"extra", "extra-group"}, m.fleets()...)
	w.Converged("web")
	if m.beside == "" {
		return
	}
	other := v1alpha1.PhaseLive
	if m.serves == "v2" {
		other = v1alpha1.PhaseRolledBack
	}
	w.Phase("web", other)
	w.Until("the other fleet can be given the new ones", func() bool {
		return w.inProduction("extra-group", m.beside) && w.inProduction("extra", m.beside)
	})
	w.expect(w.Launched() == 4, "nothing was launched for it")
}

// testPoolsEdited: one test pool is swapped and another added, at a moment when nobody is on them, or is on the way off.
func testPoolsEdited(w *World, m moment) {
	w.MakeClassic("test-extra", true)
	w.MakeClassic("test-other", true)
	w.Steady(m.steady()...)
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Test = []v1alpha1.Pool{Classic("test", "test-other"), Classic("extra", "test-extra")}
	})
	w.Until("production is as it should be", func() bool {
		return w.Ready("web") && w.Serves(m.serves) && w.Empty("test-other") && w.Empty("test-extra")
	})
	w.Pass(5 * time.Minute) // the pool that left the spec is empty, and forgotten
	w.Converged("web")
	shown := "v2"
	w.Steady("v1", "v2")
	if m.beside == "" {
		shown = "v9"
		w.Deploy("web", "v9", v1alpha1.PhasePreview)
	} else {
		w.Phase("web", v1alpha1.PhaseRolledBack)
	}
	w.Until("who is shown is on both", func() bool {
		return w.Ready("web") && w.Only("test-other", shown) && w.Only("test-extra", shown) && w.Serves("v1")
	})
	w.expect(w.Launched() == 4, "nothing was launched for the edit")
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
