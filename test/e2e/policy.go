package e2e

import (
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// policy is what people ask for beside versions and phases: pause, override, retention, size.
var policy = concat(
	[]Scenario{
		{"an override rolls back against the spec, and ends when it expires", override},
		{"status is wiped after a verdict, and the verdict stands", wipedVerdict},
		{"the controller is restarted after every fifth pass", restarted},
		{"Complete straight from RolledBack is refused with the ways out", completeFromRolledBack},
	},
	pauses,
	crashesInComplete(),
	scaling(),
	[]Scenario{
		{"scale down, then up, in the middle of a promotion", scaleDownPromoting},
		{"scale up and down in RolledBack: the stable fleet follows, and nothing is launched for the candidate", scaleRolledBack},
	},
)

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
	at := w.passes.Load()
	w.Until(what, func() bool {
		if now := w.passes.Load(); now >= at+5 {
			at = now
			w.Restart()
		}
		return holds()
	})
}

// crashesInComplete makes scenarios of a crash at each step of Complete: once begun it is finished, whatever the phase says.
func crashesInComplete() []Scenario {
	rows := []struct {
		name  string
		crash func(w *World)
	}{
		{"right after the write that makes v2 stable", func(w *World) {
			revision := string(w.Release("web").Status.Candidate.Revision)
			w.CrashAfterWrite("that v2 is stable", func(object client.Object) bool {
				return object.GetName() == revision && strings.Contains(object.GetAnnotations()["slipway.dev/memory"], `"completed":true`)
			})
		}},
		{"before CreateTags", func(w *World) { w.CrashAt(localaws.BeforeCall, createTags) }},
		{"after CreateTags", func(w *World) { w.CrashAt(localaws.AfterCall, createTags) }},
		{"before TerminateInstances", func(w *World) { w.CrashAt(localaws.BeforeCall, terminateInstances) }},
		{"after TerminateInstances", func(w *World) { w.CrashAt(localaws.AfterCall, terminateInstances) }},
	}
	all := make([]Scenario, 0, len(rows))
	for _, row := range rows {
		all = append(all, Scenario{"a crash in Complete, " + row.name + ": it is finished, whatever the phase says", func(w *World) {
			w.Live()
			w.Steady("v2")
			w.Mark()
			w.Phase("web", v1alpha1.PhaseComplete)
			row.crash(w)
			w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseRolledBack, "" })
			w.Until("there is nothing to go back to", func() bool { return w.Stalled("web", v1alpha1.ReasonNothingToRollBackTo) })
			w.Until("v1 is gone", func() bool { return len(w.Servers("v1")) == 0 })
			tagged := w.rolesGiven()
			once := tagged[stableRole] == 1 && tagged["retired"] == 1 || w.temper.Lags && tagged[stableRole] > 0 && tagged["retired"] > 0
			w.expect(once && len(tagged) == 2, "each fleet was tagged once: %v", tagged)
			for _, s := range w.Servers("v2") {
				w.expect(s.Tags[cloud.TagRole] == stableRole, "%s is tagged stable", s.ID)
			}
			w.Converged("web")
			w.expect(w.Serves("v2") && len(w.Servers("")) == 2, "two servers of v2 serve, and nothing else is left")
		}})
	}
	return all
}

// rolesGiven counts the calls since Mark that gave servers a role, by role; those without an effect do not count.
func (w *World) rolesGiven() map[string]int {
	given := map[string]int{}
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call != nil && e.Call.Action == createTags && len(e.Call.Effects) > 0 {
			given[e.Call.Params.Get("Tag.1.Value")]++
		}
	}
	return given
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
			w.Steady(p.steady()...)
			for _, n := range []int{4, 1} {
				w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Replicas = int32(n) })
				w.Until("the fleets and every pool have the new size", func() bool {
					right := p.rests(w)
					for _, version := range p.fleets() {
						right = right && len(w.Servers(version)) == n
					}
					return right
				})
				w.expect(w.Launched() == 4*len(p.fleets()), "nothing was launched but what was missing")
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
