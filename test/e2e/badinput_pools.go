package e2e

import (
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	advicePool  = "Correct spec.loadBalancers"
	noGroup     = "(TargetGroupNotFound)"
	noBalancer  = "(LoadBalancerNotFound)"
	addListener = "add a listener or a rule that forwards to it"
)

// poolMistake is a pool that is declared, together with a second version, before it can be used. The version waits in
// Preview, however long, and no clock runs; then somebody sees to the pool.
type poolMistake struct {
	name   string
	test   bool // it is declared as a test pool
	before func(w *World)
	pool   func(w *World) v1alpha1.Pool
	refusal
	mend func(w *World)
}

func (w *World) makeLateGroup() {
	w.MakeTargetGroup(latePool)
	w.MakeListener(latePool, latePool)
}

func poolMistakes() []poolMistake {
	classic := func(*World) v1alpha1.Pool { return Classic(latePool, latePool) }
	group := func(*World) v1alpha1.Pool { return Group(latePool, latePool) }
	arn := func(w *World) v1alpha1.Pool {
		return v1alpha1.Pool{Name: latePool, TargetGroup: &v1alpha1.TargetGroup{
			ARN: "arn:aws:elasticloadbalancing:" + w.AWS.Region() + ":" + w.account + ":targetgroup/late/0123456789abcdef",
		}}
	}
	named := func(w *World) { // AWS makes up the ARN
		w.makeLateGroup()
		w.Edit("web", func(rel *v1alpha1.Release) {
			last := len(rel.Spec.LoadBalancers.Production) - 1
			rel.Spec.LoadBalancers.Production[last].TargetGroup.ARN = w.GroupARN(latePool)
		})
	}
	missing := func(thing, code string) refusal {
		return told(v1alpha1.ReasonPoolNotFound, code, advicePool, "pool late does not exist", thing)
	}
	notInUse := told(v1alpha1.ReasonPoolNotInUse, "(Target.NotInUse)", addListener, "target group late is used by no listener")
	idle := func(w *World) { w.MakeTargetGroup(latePool) }
	listen := func(w *World) { w.MakeListener(latePool, latePool) }
	return []poolMistake{
		{"a classic load balancer in production does not exist", false, nil, classic, missing("classic load balancer late", noBalancer),
			func(w *World) { w.MakeClassic(latePool, true) }},
		{"a target group in production does not exist, by name", false, nil, group, missing("target group late", noGroup), (*World).makeLateGroup},
		{"a target group in production does not exist, by ARN", false, nil, arn, missing("target group late", noGroup), named},
		{"a target group for tests does not exist", true, nil, group, missing("target group late", noGroup), (*World).makeLateGroup},
		{"a target group in production is used by no listener", false, idle, group, notInUse, listen},
		{"a target group for tests is used by no listener", true, idle, group, notInUse, listen},
	}
}

func (m poolMistake) play(w *World) {
	w.Settled(hasty)
	if m.before != nil {
		m.before(w)
	}
	w.Mark()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
		list := &rel.Spec.LoadBalancers.Production
		if m.test {
			list = &rel.Spec.LoadBalancers.Test
		}
		*list = append(*list, m.pool(w))
	})
	w.UntilWithin("it is told at once", time.Minute, func() bool { return w.tells(m.refusal) })
	w.refused(m.refusal, "v1", 2)
	w.expect(w.exactly(testPool, "v2"), "v2 can be looked at")
	m.mend(w)
	w.healed("v2", "v1")
	if !m.test {
		w.expect(w.exactly(latePool, "v2"), "v2 serves in the pool that came late")
	}
	w.Converged("web")
}

// badPools are mistakes about load balancers and target groups.
func badPools() []Scenario {
	rows := poolMistakes()
	all := make([]Scenario, 0, len(rows)+2)
	for _, m := range rows {
		all = append(all, Scenario{m.name + ", while the version before serves", m.play})
	}
	return append(all,
		Scenario{"a target group is deleted with its servers, and made again", groupVanished},
		Scenario{"the listener of a target group is deleted while it serves, and made again", listenerVanished},
	)
}

// muteGroup deletes the load balancer of the target group api, and with it the listener.
func (w *World) muteGroup() {
	w.Helper()
	p, ctx := w.Person(), w.Context()
	found, err := p.ELBv2.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{apiPool}})
	w.must("find the load balancer", err)
	_, err = p.ELBv2.DeleteLoadBalancer(ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: found.LoadBalancers[0].LoadBalancerArn})
	w.must("delete the load balancer", err)
}

func groupVanished(w *World) {
	w.InPreview(hasty)
	says := told(v1alpha1.ReasonPoolNotFound, noGroup, advicePool, "pool api does not exist", "target group api")
	w.muteGroup()
	arn := w.GroupARN(apiPool)
	_, err := w.Person().ELBv2.DeleteTargetGroup(w.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: &arn})
	w.must("delete the target group", err)
	w.Until("it is told", func() bool { return w.tells(says) })
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("the edit is seen", func() bool { return w.tells(says) })
	w.while(stuck, says, func() bool { return w.exactly(edgePool, "v1") && w.exactly(testPool, "v2") })
	w.MakeTargetGroup(apiPool)
	w.MakeListener(apiPool, apiPool)
	w.healed("v2", "v1")
	w.expect(len(w.AWS.Instances()) == 4, "nothing was launched or ended")
}

func listenerVanished(w *World) {
	w.InPreview(hasty)
	says := told(v1alpha1.ReasonPoolNotInUse, "(Target.NotInUse)", addListener, "target group api is used by no listener")
	w.muteGroup()
	w.Until("it is told", func() bool { return w.tells(says) })
	w.Mark()
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("the edit is seen", func() bool { return w.tells(says) })
	w.while(stuck, says, func() bool {
		return w.exactly(edgePool, "v1") && len(w.Members(apiPool)) == 2 && w.moves() == 0 && w.exactly(testPool, "v2")
	})
	w.MakeListener(apiPool, apiPool)
	w.healed("v2", "v1")
	w.expect(len(w.AWS.Instances()) == 4, "nothing was launched or ended")
}
