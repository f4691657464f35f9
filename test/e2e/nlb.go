package e2e

import (
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/api/v1alpha1"
)

// frontPool is a pool behind a Network Load Balancer.
const frontPool = "front"

// MakeNetwork makes a Network Load Balancer with one listener, and the target group that it forwards to, both with its name. It checks
// that the port of a server is open, every 5 s.
func (w *World) MakeNetwork(name string) {
	w.Helper()
	w.MakeTargetGroup(name, func(in *elbv2.CreateTargetGroupInput) {
		in.Protocol, in.HealthCheckPath = elbv2types.ProtocolEnumTcp, nil
	})
	w.listen(name, name, elbv2types.LoadBalancerTypeEnumNetwork, elbv2types.ProtocolEnumTcp)
}

// networkLife: a Network Load Balancer takes three to five minutes to register a server and to let one go. The other pool waits with
// both versions in it meanwhile, nobody's server goes before every pool has the next ones, and the way back is as slow.
func networkLife(w *World) {
	w.MakeNetwork(frontPool)
	w.Settled(func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Production = append(rel.Spec.LoadBalancers.Production, Group(frontPool, frontPool))
	})
	serves := func(version string) bool { return w.Ready("web") && w.Serves(version) && w.Only(frontPool, version) }
	w.Until("v1 serves in every pool", func() bool { return serves("v1") })
	switched := func(to, from string) {
		w.Until(to+" is healthy where it is quick", func() bool { return w.Versions(edgePool)[to] == 2 && w.Versions(apiPool)[to] == 2 })
		w.For(2*time.Minute, from+" stays everywhere until the Network Load Balancer has "+to, func() bool {
			return w.Registered(edgePool, from) == 2 && w.Registered(apiPool, from) == 2 && w.Registered(frontPool, from) == 2
		})
		w.UntilWithin(to+" alone serves", 15*time.Minute, func() bool { return serves(to) })
		w.UntilWithin(from+" has left, and would have to register anew", 15*time.Minute, func() bool { return len(w.Members(frontPool)) == 2 })
	}
	w.Deploy("web", "v2", v1alpha1.PhasePreview)
	w.Until("v2 is ready in Preview", func() bool { return w.Is("web", v1alpha1.ConditionPreviewReady) && w.Ready("web") })
	w.Phase("web", v1alpha1.PhaseLive)
	switched("v2", "v1")
	w.Phase("web", v1alpha1.PhaseRolledBack)
	switched("v1", "v2")
	w.Phase("web", v1alpha1.PhaseLive)
	switched("v2", "v1")
	w.Phase("web", v1alpha1.PhaseComplete)
	w.UntilWithin("v1 is gone", 15*time.Minute, func() bool { return serves("v2") && len(w.Servers("v1")) == 0 })
	w.Converged("web")
}
