package e2e

import (
	"fmt"
	"strings"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// figures are the numbers that are promised: calls of a deploy, and the time that it takes beyond AWS's own.
var figures = []Scenario{
	{"200 servers: one call a pool, one launch a subnet, one tag call a fleet", func(w *World) { counted(w, 200, 1) }},
	{"201 servers: one call a pool more", func(w *World) { counted(w, 201, 2) }},
	{"promote and rollback end at most 1.6 s after the last server is healthy", prompt},
}

// counted deploys fleets of n servers that boot one after the other. A promotion and a rollback take so many calls to each pool.
func counted(w *World, n, calls int) {
	w.AWS.Tune(func(k *localaws.Knobs) { k.PendingMax = Boot + 6*time.Second })
	w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.MaxServersPerRelease = int32(2 * n) })
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) {
		rel.Spec.Replicas = int32(n)
		rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, "v1"
	}))
	reaches := func(what string, phase v1alpha1.Phase, production, test string) {
		w.Helper()
		w.Until(what, w.EachPass(func() bool {
			right := w.From(edgePool, production, n) && w.From(apiPool, production, n)
			right = right && (test == "" && w.Empty(testPool) || test != "" && w.From(testPool, test, n))
			return right && w.Ready("web") && w.Release("web").Status.EffectivePhase == phase
		}))
	}
	reaches("v1 is complete", v1alpha1.PhaseComplete, "v1", "")
	w.Mark()
	w.Deploy("web", "v2", v1alpha1.PhasePreview)
	reaches("v2 is in Preview", v1alpha1.PhasePreview, "v1", "v2")
	w.expect(w.Mutations()[runInstances] == 2 && len(w.Servers("v2")) == n, "one launch for each subnet: %v", w.Mutations())

	w.Mark()
	w.Phase("web", v1alpha1.PhaseLive)
	reaches("v2 is Live", v1alpha1.PhaseLive, "v2", "")
	w.count("promotion", map[string]int{
		registerClassic: calls, registerTargets: calls,
		deregisterClassic: 2 * calls, deregisterTargets: calls,
	})
	w.Mark()
	w.Phase("web", v1alpha1.PhaseRolledBack)
	reaches("v1 serves", v1alpha1.PhaseRolledBack, "v1", "v2")
	w.count("rollback", map[string]int{
		registerClassic: 2 * calls, registerTargets: calls,
		deregisterClassic: calls, deregisterTargets: calls,
	})
	w.Phase("web", v1alpha1.PhaseLive)
	reaches("v2 is Live again", v1alpha1.PhaseLive, "v2", "")
	w.Mark()
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("v1 is gone", w.EachPass(func() bool { return len(w.Servers("v1")) == 0 && w.Ready("web") }))
	w.expect(fmt.Sprint(w.rolesGiven()) == "map[retired:1 stable:1]" && w.Mutations()[createTags] == 2, "one call for each fleet: %v", w.rolesGiven())
}

// EachPass asks a condition after passes only: with hundreds of servers there are hundreds of events between two of them.
func (w *World) EachPass(holds func() bool) func() bool {
	asked := int64(-1)
	return func() bool {
		now := w.passes.Load()
		if asked == now {
			return false
		}
		asked = now
		return holds()
	}
}

// believed is how long after a switch what load balancers say of those that left is no evidence: they may tell of the time before. A rollback
// puts them back at once, and takes the others out when it is over.
const believed = 11 * time.Second

func prompt(w *World) {
	w.InPreview(func(rel *v1alpha1.Release) { rel.Spec.Health.Consecutive = 2 })
	for _, step := range []struct {
		phase   v1alpha1.Phase
		version string
	}{{v1alpha1.PhaseLive, "v2"}, {v1alpha1.PhaseRolledBack, "v1"}, {v1alpha1.PhaseLive, "v2"}} {
		w.Pass(believed)
		began := w.Clock.Now()
		w.Mark()
		w.Phase("web", step.phase)
		w.Until(step.version+" serves", func() bool { return w.Ready("web") && w.Serves(step.version) })
		took := w.switched(step.version)
		prompt := took >= 0 && took <= 1600*time.Millisecond+w.temper.Slack
		w.expect(prompt || w.troubledSince(began), "the switch to %s came %s after the last of it was healthy", step.version, took)
	}
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("v1 is on its way back at once", 2*time.Second+w.temper.Slack, func() bool { return w.inBoth("v1") })
	w.Until("v1 serves", func() bool { return w.Ready("web") && w.Serves("v1") })
}

// switched is the time since Mark from when the last server of a version became healthy in a production pool to when the last
// server of ours was deregistered from one; negative where there was no such thing.
func (w *World) switched(version string) time.Duration {
	var ready, out time.Time
	for _, e := range w.AWS.LedgerSince(w.mark) {
		switch {
		case e.Change != nil && e.Change.To == healthy && w.concerns(e.Change.Resource, version):
			ready = e.Time
		case e.Call != nil && strings.HasPrefix(e.Call.Action, "Deregister") && e.Call.Params.Get("LoadBalancerName") != testPool:
			out = e.Time
		}
	}
	if ready.IsZero() || out.IsZero() {
		return -1
	}
	return out.Sub(ready)
}

// concerns reports whether a member of a pool is of a version, and the pool one of production.
func (w *World) concerns(resource, version string) bool {
	pool, server, _ := strings.Cut(resource, "/")
	s, _ := w.AWS.Instance(server)
	return s.Version == version && (pool == edgePool || pool == apiPool)
}
