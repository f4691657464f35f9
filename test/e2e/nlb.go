package e2e

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// frontPool is a pool behind a Network Load Balancer.
const frontPool = "front"

// MakeNetwork makes a Network Load Balancer with one listener, and the target group that it forwards to, both with its name. It checks
// that the port of a server is open, every 5 s.
func (w *World) MakeNetwork(name string) {
	w.Helper()
	p, ctx := w.Person(), w.Context()
	lb, err := p.ELBv2.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{
		Name: &name, Type: elbv2types.LoadBalancerTypeEnumNetwork, Subnets: w.Site.Subnets, SecurityGroups: []string{w.Site.SecurityGroup},
	})
	w.must("make load balancer "+name, err)
	group, err := p.ELBv2.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: elbv2types.ProtocolEnumTcp, Port: aws.Int32(80), VpcId: &w.Site.VPC, TargetType: elbv2types.TargetTypeEnumInstance,
		HealthCheckIntervalSeconds: aws.Int32(5), HealthCheckTimeoutSeconds: aws.Int32(2),
		HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2),
		Tags: []elbv2types.Tag{{Key: aws.String(cloud.TagCluster), Value: aws.String(clusterName)}},
	})
	w.must("make target group "+name, err)
	arn := group.TargetGroups[0].TargetGroupArn
	_, err = p.ELBv2.ModifyTargetGroupAttributes(ctx, &elbv2.ModifyTargetGroupAttributesInput{
		TargetGroupArn: arn,
		Attributes: []elbv2types.TargetGroupAttribute{{
			Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String(fmt.Sprint(w.temper.drains())),
		}},
	})
	w.must("configure target group "+name, err)
	_, err = p.ELBv2.CreateListener(ctx, &elbv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Port: aws.Int32(80), Protocol: elbv2types.ProtocolEnumTcp,
		DefaultActions: []elbv2types.Action{{Type: elbv2types.ActionTypeEnumForward, TargetGroupArn: arn}},
	})
	w.must("make listener of "+name, err)
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
