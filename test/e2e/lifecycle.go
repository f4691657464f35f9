package e2e

import (
	"slipway.dev/slipway/api/v1alpha1"
)

// lifecycle is the way that most deploys go.
var lifecycle = []Scenario{
	{"the first deploy goes through Preview to Complete", func(w *World) {
		w.Create(w.NewRelease())
		w.Until("v1 is ready in Preview", func() bool {
			return w.Is("web", v1alpha1.ConditionPreviewReady) && w.Ready("web")
		})
		w.expect(w.Only("test", "v1") && w.Empty("edge") && w.Empty("api"), "v1 is on the test pool alone")
		w.Phase("web", v1alpha1.PhaseLive)
		w.Until("v1 is Live", func() bool { return w.Is("web", v1alpha1.ConditionPromoted) && w.Ready("web") })
		w.expect(w.Serves("v1"), "v1 serves")
		w.Until("the test pool is empty", func() bool { return w.Empty("test") })
		w.Phase("web", v1alpha1.PhaseComplete)
		w.Until("v1 is complete", func() bool { return w.Ready("web") })
		w.expect(len(w.Servers("v1")) == 2 && w.Serves("v1"), "two servers of v1 serve")
		w.Converged("web")
	}},
	{"a second version goes through Preview, Live and Complete", func(w *World) {
		w.Settled()
		w.Mark()
		w.Deploy("web", "v2", v1alpha1.PhasePreview)
		w.Until("v2 is ready in Preview", func() bool {
			return w.Is("web", v1alpha1.ConditionPreviewReady) && w.Ready("web")
		})
		w.expect(w.Only("test", "v2") && w.Serves("v1"), "v2 is on the test pool and v1 serves")
		w.count("launch and preview", map[string]int{runInstances: 2, registerClassic: 1})

		w.Mark()
		w.Phase("web", v1alpha1.PhaseLive)
		w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
		w.Until("the test pool is empty", func() bool { return w.Empty("test") })
		w.expect(len(w.Servers("v1")) == 2, "v1 stands by")
		w.expect(w.Is("web", v1alpha1.ConditionRollbackAvailable), "a rollback is available")
		w.count("promotion", map[string]int{
			registerClassic: 1, registerTargets: 1,
			deregisterClassic: 2, deregisterTargets: 1,
		})
		w.Converged("web")

		w.Mark()
		w.Phase("web", v1alpha1.PhaseComplete)
		w.Until("v2 is complete", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 0 })
		w.expect(len(w.Servers("v2")) == 2 && w.Serves("v2"), "two servers of v2 serve")
		for _, s := range w.Servers("v2") {
			w.expect(s.Tags["slipway.dev/role"] == stableRole, "%s is tagged stable", s.ID)
		}
		w.count("complete: one call a fleet for tags, one a zone for ends", map[string]int{createTags: 2, terminateInstances: 2})
		w.Converged("web")
	}},
	{"RolledBack, and Live again", func(w *World) {
		w.Live()
		w.Mark()
		w.Phase("web", v1alpha1.PhaseRolledBack)
		w.Until("v1 serves again", func() bool { return w.Ready("web") && w.Serves("v1") })
		w.Until("v2 is on the test pool for a look", func() bool { return w.Only("test", "v2") })
		w.count("rollback", map[string]int{
			registerClassic: 2, registerTargets: 1,
			deregisterClassic: 1, deregisterTargets: 1,
		})
		w.Converged("web")
		w.Phase("web", v1alpha1.PhaseLive)
		w.Until("v2 is Live again", func() bool { return w.Ready("web") && w.Serves("v2") })
		w.expect(len(w.Servers("")) == 4, "nothing was launched for it")
	}},
}
