package e2e

import (
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

// Recipe is a way to live with Git, played from the first version on.
type Recipe struct {
	Name string
	Play func(w *World, by Deliverer, act func(g *Git))
}

// Recipes are those of docs/gitops.md.
var Recipes = []Recipe{
	{"the phase is in Git: each step is a commit, and self-heal undoes what is done by hand", phaseInGit},
	{"the phase is left out of Git: promote, complete, and the next version stops at Preview", phaseLeftOut},
	{"the phase in Git is for the first sync alone, and ignored after that", phaseIgnored},
	{"the phase is taken out of Git, and put back", phaseMoves},
}

// gitops are the recipes as scenarios, applied as Argo CD does by default.
func gitops() []Scenario {
	all := make([]Scenario, 0, len(Recipes))
	for _, recipe := range Recipes {
		all = append(all, Scenario{"Argo CD: " + recipe.Name, func(w *World) { recipe.Play(w, ArgoCD, func(*Git) {}) }})
	}
	return all
}

// Declares is a commit of a version, with a phase or without one.
func Declares(version string, phase v1alpha1.Phase) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.Version(version), phase, ""
		if phase != "" {
			rel.Spec.PhaseFor = version
		}
	}
}

// rests waits until "web" is Ready with these versions in production and on the test pool; "" for an empty test pool.
func (g *Git) rests(what, production, test string) {
	g.Helper()
	g.Until(what, func() bool {
		shown := test == "" && g.Empty(testPool) || test != "" && g.Only(testPool, test)
		return shown && g.Ready("web") && g.Serves(production)
	})
}

// settled reports whether only the stable version is left.
func (g *Git) settled() bool {
	g.Helper()
	return g.Release("web").Status.Stage == "Settled"
}

func phaseInGit(w *World, by Deliverer, act func(*Git)) {
	g := w.Repository(by, Declares("v1", v1alpha1.PhaseComplete))
	act(g)
	g.Until("v1 is complete", func() bool { return g.Ready("web") && g.Serves("v1") })
	g.Commit(Declares("v2", v1alpha1.PhasePreview))
	g.rests("v2 is ready in Preview", "v1", "v2")
	g.Steady("v1", "v2")
	g.Commit(Declares("v2", v1alpha1.PhaseLive))
	g.rests("v2 is Live", "v2", "")
	g.inSync(time.Minute)

	before := g.Syncs
	g.Act("rollback")
	g.rests("self-heal puts the phase back, and v2 serves", "v2", "")
	g.expect(g.Syncs == before+1 && g.Release("web").Spec.Phase == v1alpha1.PhaseLive, "it took one sync")

	g.Act("hold")
	g.rests("a hold is not in Git, so it stays: v1 serves", "v1", "v2")
	g.inSync(HoldsFor / 3)
	g.expect(g.Serves("v1") && g.Release("web").Spec.Phase == v1alpha1.PhaseLive, "v1 serves, though Git says Live")
	g.Act("release")
	g.rests("released, v2 is Live", "v2", "")
	g.Act("hold")
	g.rests("held again, v1 serves", "v1", "v2")
	g.inSync(HoldsFor * 2 / 3)
	g.rests("the hold has expired, and v2 is Live", "v2", "")
	g.expect(g.Release("web").Spec.Override != nil, "what has expired stays in the spec")

	err := g.TryCommit(func(rel *v1alpha1.Release) { rel.Spec.Version, rel.Spec.PhaseFor = "v3", "" })
	g.expect(err != nil, "a new version under a phase that stays Live is refused")
	g.Commit(Declares("v2", v1alpha1.PhaseRolledBack))
	g.rests("rolled back by a commit, v1 serves", "v1", "v2")
	g.Commit(Declares("v2", v1alpha1.PhaseLive))
	g.rests("v2 is Live again", "v2", "")
	g.Commit(Declares("v2", v1alpha1.PhaseComplete))
	g.Until("v2 is complete", func() bool { return g.Ready("web") && g.Serves("v2") && len(g.Servers("v1")) == 0 })

	g.Steady("v2", "v3")
	g.Commit(func(rel *v1alpha1.Release) { rel.Spec.Version = "v3" }) // as a robot does that knows of versions only
	g.rests("v3 stops at Preview, because the phase is meant for v2", "v2", "v3")
	g.inSync(time.Minute)
	g.Converged("web")
}

func phaseLeftOut(w *World, by Deliverer, act func(*Git)) {
	g := w.Repository(by, Declares("v1", ""))
	act(g)
	g.Until("v1 is ready in Preview", func() bool { return g.Ready("web") && g.Only(testPool, "v1") })
	g.Act("promote")
	g.rests("v1 is Live", "v1", "")
	g.Act("complete")
	g.Until("v1 is complete", func() bool { return g.Ready("web") && g.settled() })
	before := g.Syncs

	g.Commit(Declares("v2", ""))
	g.rests("v2 stops at Preview", "v1", "v2")
	g.inSync(10 * time.Minute)
	g.expect(g.Release("web").Status.EffectivePhaseReason == v1alpha1.EffectiveByPhaseFor, "because the phase is meant for v1")
	g.Steady("v1", "v2")
	g.Act("promote")
	g.rests("v2 is Live", "v2", "")
	g.Act("rollback")
	g.rests("v1 serves", "v1", "v2")
	g.Act("promote")
	g.rests("v2 is Live again", "v2", "")
	g.Act("complete")
	g.Until("v2 is complete", func() bool { return g.Ready("web") && g.Serves("v2") && len(g.Servers("v1")) == 0 })
	g.expect(g.Syncs == before+1, "self-heal undid nothing of it: %d syncs after the commit", g.Syncs-before-1)

	g.Steady("v2", "v3")
	g.Commit(Declares("v3", ""))
	g.rests("v3 stops at Preview", "v2", "v3")
	g.Act("promote")
	g.rests("v3 is Live", "v3", "")
	g.Act("rollback")
	g.rests("v2 serves", "v2", "v3")
	g.Steady("v2")
	g.Commit(Declares("v1", ""))
	g.rests("v1 stops at Preview: the rollback was of v3", "v2", "v1")
	g.expect(g.Release("web").Status.EffectivePhaseReason == v1alpha1.EffectiveByPhaseFor, "because the phase was meant for v3")
	g.Commit(Declares("v2", "")) // git revert
	g.Until("v1 and v3 are gone", func() bool { return g.Ready("web") && g.Serves("v2") && len(g.Servers("v1"))+len(g.Servers("v3")) == 0 })
	g.Converged("web")
}

func phaseIgnored(w *World, by Deliverer, act func(*Git)) {
	by.Ignores = w.ignored()
	g := w.Repository(by, Declares("v1", v1alpha1.PhasePreview)) // both fields, as the manifest of the sample
	act(g)
	g.Until("v1 is ready in Preview", func() bool { return g.Ready("web") && g.Only(testPool, "v1") })
	g.Act("promote")
	g.rests("v1 is Live, though Git says Preview", "v1", "")
	g.Act("complete")
	g.Until("v1 is complete", func() bool { return g.Ready("web") && g.settled() })
	g.Commit(func(rel *v1alpha1.Release) { rel.Spec.Version = "v2" })
	g.rests("v2 stops at Preview", "v1", "v2")
	g.Steady("v1", "v2")
	g.Act("promote")
	g.rests("v2 is Live", "v2", "")
	g.inSync(10 * time.Minute)
	g.Commit(func(rel *v1alpha1.Release) { rel.Spec.Replicas = 3 })
	g.rests("another commit leaves it Live, with three servers", "v2", "")
	g.expect(g.Release("web").Spec.Phase == v1alpha1.PhaseLive, "the phase is as the person set it")
	g.Converged("web")
}

func phaseMoves(w *World, by Deliverer, act func(*Git)) {
	g := w.Repository(by, Declares("v1", v1alpha1.PhaseComplete))
	act(g)
	g.Until("v1 is complete", func() bool { return g.Ready("web") && g.Serves("v1") })
	g.Commit(Declares("v2", v1alpha1.PhaseLive)) // straight through
	g.rests("v2 is Live", "v2", "")
	g.Steady("v2")
	g.Commit(Declares("v2", "")) // the phase goes with the manifest's
	g.expect(g.Release("web").Spec.Phase == "", "nothing says Live any more")
	g.For(10*time.Minute, "v2 serves on", func() bool { return g.Serves("v2") })
	g.expect(g.Ready("web") && len(g.Servers("v1")) == 2, "and v1 stands by")
	g.Act("complete")
	g.Until("v2 is complete", func() bool { return g.Ready("web") && len(g.Servers("v1")) == 0 })
	g.Commit(Declares("v2", v1alpha1.PhaseComplete))
	g.inSync(10 * time.Minute)
	g.expect(g.settled(), "nothing is done about a phase that is reached")
	g.Converged("web")
}
