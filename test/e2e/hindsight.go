package e2e

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// hindsight makes scenarios of what people do in the moment in which servers left production, while load balancers tell of the time before.
func hindsight() []Scenario {
	return []Scenario{
		{"the phase RolledBack in the moment in which v1 left, while readings tell of the time before", func(w *World) { backAtOnce(w, false) }},
		{"the phase RolledBack in the moment in which v1 was seen to have left, while readings tell of the time before",
			func(w *World) { backAtOnce(w, true) }},
		{"a version that is called back before the gate and sent again at once, while readings tell of the time before",
			func(w *World) { goAgainAtOnce(w, 0) }},
		{"a version that is called back before the gate and sent again once it left, while readings tell of the time before",
			func(w *World) { goAgainAtOnce(w, 2*time.Second) }},
		{"a version that is declared again in the moment in which it left for a newer one, while readings tell of the time before", resumeAtOnce},
		{"a version that is declared again once a newer one is complete, while readings tell of the time before", revertAtOnce},
		{"a server that is let go by the person who held it, in the moment in which it left, while readings tell of the time before", letGoAtOnce},
	}
}

// inHindsight does something while load balancers tell, for a minute, of six seconds ago.
func (w *World) inHindsight(do func()) {
	late, err := w.AWS.InjectText("elb*:Describe* stale=6s")
	w.must("let readings be late", err)
	do()
	w.Pass(time.Minute)
	late.Remove()
}

// phaseInHindsight asks for a phase then.
func (w *World) phaseInHindsight(phase v1alpha1.Phase) {
	w.Steady("v1", "v2")
	w.inHindsight(func() { w.Phase("web", phase) })
}

// backAtOnce: pools that are said to have v1 as ever have sent it away, and it has to be healthy again before v2 leaves.
func backAtOnce(w *World, seen bool) {
	w.InPreview()
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v1 leaves production", func() bool { return w.Registered(edgePool, "v1") == 0 && w.Registered(apiPool, "v1") == 0 })
	if seen {
		w.Until("it is seen that it left", func() bool { return w.Is("web", v1alpha1.ConditionPromoted) })
	} else {
		w.expect(!w.Is("web", v1alpha1.ConditionPromoted), "nobody has seen yet that it left")
	}
	w.phaseInHindsight(v1alpha1.PhaseRolledBack)
	w.Until("v1 serves again", func() bool { return w.Ready("web") && w.Serves("v1") && w.Only(testPool, "v2") })
	w.Converged("web")
}

// goAgainAtOnce: a version that was healthy in production before its gate, was called back, and is sent again, has to be healthy anew; also
// where somebody has seen meanwhile that it left.
func goAgainAtOnce(w *World, meanwhile time.Duration) {
	w.InPreview()
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is on its way", func() bool { return w.inBoth("v2") })
	w.Pause(true)
	w.Until("v2 is healthy in production", func() bool { return w.Versions(edgePool)["v2"] == 2 && w.Versions(apiPool)["v2"] == 2 })
	w.Pass(10 * time.Second)
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Paused, rel.Spec.Phase = false, v1alpha1.PhasePreview })
	w.Until("v2 is out of production", w.leftProduction)
	w.Pass(meanwhile)
	w.phaseInHindsight(v1alpha1.PhaseLive)
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
	w.Converged("web")
}

// resumeAtOnce: pools that are said to have v2 as ever have sent it away for v3, and it has to be healthy again before v3 leaves.
func resumeAtOnce(w *World) {
	w.Live()
	w.Deploy("web", "v3", v1alpha1.PhaseLive)
	w.Until("v2 leaves production", w.leftProduction)
	w.Steady("v2", "v3")
	w.inHindsight(func() { w.Deploy("web", "v2", v1alpha1.PhaseLive) })
	w.Until("v2 is Live again, and v1 stands by", func() bool { return w.Ready("web") && w.Serves("v2") && len(w.Servers("v3")) == 0 })
	w.expect(len(w.Servers("v1")) == 2, "v1 is kept")
	w.Converged("web")
}

// revertAtOnce: v1 left production for v2, which was complete in the next look, and is sent there again, with no test pool to go to first.
func revertAtOnce(w *World) {
	w.Settled(func(rel *v1alpha1.Release) { rel.Spec.LoadBalancers.Test = nil })
	w.Deploy("web", "v2", v1alpha1.PhaseComplete)
	w.Until("v2 is complete", func() bool {
		stable := w.Release("web").Status.Stable
		return stable != nil && stable.Version == "v2"
	})
	w.Steady("v1", "v2")
	w.inHindsight(func() { w.Deploy("web", "v1", v1alpha1.PhaseLive) })
	w.Until("v1 is Live", func() bool { return w.Ready("web") && w.Serves("v1") })
	w.Converged("web")
}

// letGoAtOnce: a held server was replaced and has left production. Given back, it has to be healthy again before the other one leaves.
func letGoAtOnce(w *World) {
	w.Settled(func(rel *v1alpha1.Release) { rel.Spec.Replicas = 1 })
	held := w.Servers("v1")[0].ID
	w.Hold(held)
	serves := func(pool string) bool {
		return slices.ContainsFunc(w.Members(pool), func(m localaws.MemberInfo) bool { return m.InstanceID == held && !m.Draining })
	}
	w.Until("it has left", func() bool { return !serves(edgePool) && !serves(apiPool) })
	w.Steady("v1")
	w.inHindsight(func() {
		_, err := w.Person().EC2.DeleteTags(w.Context(), &ec2.DeleteTagsInput{Resources: []string{held}, Tags: []ec2types.Tag{{Key: aws.String(cloud.TagHold)}}})
		w.must("let go of "+held, err)
	})
	w.Until("one of them serves", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 1 })
	w.Converged("web")
}
