package e2e

import (
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

// claims is who may use a pool: a production pool admits one Release, test pools may be shared.
var claims = concat(
	claimedTwice(),
	[]Scenario{
		{"a test pool is shared by two Releases", sharedTest},
		{"two Releases that claim a pool are created at the same moment: one of them gets it", createdTogether},
		{"a holder's rollback is not held up by a newcomer", holderRollsBack},
	},
)

// group is the target group api, named by its ARN or by its name.
func (w *World) group(byARN bool) v1alpha1.Pool {
	w.Helper()
	if byARN {
		return v1alpha1.Pool{Name: apiPool, TargetGroup: &v1alpha1.TargetGroup{ARN: w.GroupARN(apiPool)}}
	}
	return Group(apiPool, apiPool)
}

// rival is another Release of the same application, with a production pool of its own.
func (w *World) rival(changes ...func(*v1alpha1.Release)) *v1alpha1.Release {
	w.Helper()
	w.MakeClassic("theirs", true)
	return w.NewRelease(append([]func(*v1alpha1.Release){func(rel *v1alpha1.Release) {
		rel.Name = "rival"
		rel.Spec.LoadBalancers = ownPools()
	}}, changes...)...)
}

func ownPools() v1alpha1.LoadBalancers {
	return v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{Classic("theirs", "theirs")}}
}

// claimedTwice makes scenarios of a newcomer that claims a pool which "web" has: it gets no calls until it drops the claim.
func claimedTwice() []Scenario {
	production := func(pool func(w *World) v1alpha1.Pool) func(*World, *v1alpha1.Release) {
		return func(w *World, rel *v1alpha1.Release) {
			rel.Spec.LoadBalancers.Production = append(rel.Spec.LoadBalancers.Production, pool(w))
		}
	}
	test := func(pool func(w *World) v1alpha1.Pool) func(*World, *v1alpha1.Release) {
		return func(w *World, rel *v1alpha1.Release) { rel.Spec.LoadBalancers.Test = []v1alpha1.Pool{pool(w)} }
	}
	name := func(w *World) v1alpha1.Pool { return w.group(false) }
	arn := func(w *World) v1alpha1.Pool { return w.group(true) }
	classic := func(balancer string) func(*World) v1alpha1.Pool {
		return func(*World) v1alpha1.Pool { return Classic("mine", balancer) }
	}
	rows := []struct {
		name        string
		holderByARN bool
		claim       func(w *World, rel *v1alpha1.Release)
	}{
		{"production and production, by name and by ARN", false, production(arn)},
		{"production and production, by ARN and by name", true, production(name)},
		{"production and production, a classic one", false, production(classic(edgePool))},
		{"production and test, by name", false, test(name)},
		{"production and test, by ARN", false, test(arn)},
		{"production and test, a classic one", false, test(classic(edgePool))},
		{"test and production", false, production(classic(testPool))},
	}
	all := make([]Scenario, 0, len(rows))
	for _, row := range rows {
		all = append(all, Scenario{"a pool is claimed by two Releases: " + row.name, func(w *World) {
			w.Settled(func(rel *v1alpha1.Release) { rel.Spec.LoadBalancers.Production[1] = w.group(row.holderByARN) })
			w.Steady("v1")
			rival := w.rival()
			row.claim(w, rival)
			w.Mark()
			w.Create(rival)
			w.Until("the newcomer is refused", func() bool { return w.Stalled("rival", v1alpha1.ReasonPoolHeldByAnother) })
			w.expect(w.Says("rival", v1alpha1.ConditionStalled, w.Namespace+"/web"), "it names the holder")
			w.Pass(5 * time.Minute)
			w.expect(len(w.Mutations()) == 0, "no call was made: %v", w.Mutations())
			w.Edit("rival", func(rel *v1alpha1.Release) { rel.Spec.LoadBalancers = ownPools() })
			w.Until("without the claim it goes on", func() bool { return w.Is("rival", v1alpha1.ConditionPreviewReady) })
			w.expect(w.Serves("v1") && w.Ready("web"), "the holder never noticed")
		}})
	}
	return all
}

func sharedTest(w *World) {
	w.InPreview()
	w.Steady("v1")
	w.Create(w.rival(func(rel *v1alpha1.Release) {
		rel.Spec.Version = "r1"
		rel.Spec.LoadBalancers.Test = []v1alpha1.Pool{Classic(testPool, testPool)}
	}))
	w.Until("both are on it", func() bool {
		return w.Ready("rival") && w.Registered(testPool, "r1") == 2 && w.Registered(testPool, "v2") == 2
	})
	w.Phase("web", v1alpha1.PhaseLive)
	w.Steady("v1", "v2")
	w.Until("web leaves it", func() bool { return w.Ready("web") && w.Serves("v2") && w.From(testPool, "r1", 2) })
	w.Converged("rival")
}

func createdTogether(w *World) {
	rival := w.rival()
	rival.Spec.LoadBalancers.Production = append(rival.Spec.LoadBalancers.Production, w.group(true))
	terminating(rival)
	w.Create(w.NewRelease(terminating))
	w.Create(rival)
	refused := func(name string) bool { return w.Stalled(name, v1alpha1.ReasonPoolHeldByAnother) }
	w.Until("one is in Preview and the other refused", func() bool {
		w.expect(!refused("web") || !refused("rival"), "one of them gets it")
		return w.Ready("web") && refused("rival") || w.Ready("rival") && refused("web")
	})
	w.Pass(5 * time.Minute)
	// Claims are compared once more before the first Register; of two workers each may have launched before it hears of the other's.
	w.expect(w.Launched() == 2 || w.process.Load() != nil && w.Launched() <= 4, "the other launched nothing")
	w.Delete("web")
	w.Delete("rival")
	w.Until("both are gone, and nothing is left of them", func() bool { return w.Gone("web") && w.Gone("rival") && len(w.Servers("")) == 0 })
}

func holderRollsBack(w *World) {
	w.Live()
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) { rel.Name = "rival" }))
	w.Until("the newcomer is refused", func() bool { return w.Stalled("rival", v1alpha1.ReasonPoolHeldByAnother) })
	w.Steady("v1", "v2")
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("v1 serves", 2*time.Minute, func() bool { return w.Serves("v1") })
}
