package e2e

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/api/v1alpha1"
)

// pools is what happens to load balancers, and who they belong to.
var pools = concat(
	poolEdits(),
	deletion,
	claims,
	remade(),
	[]Scenario{
		{"one of two production pools is sick: nothing is removed anywhere", oneSick},
		{"a pool behind a Network Load Balancer, which takes minutes: a switch, back, and to Complete", networkLife},
		{"a pool without cross-zone balancing, and a zone without capacity", zonal},
		{"a production pool vanishes: nothing is removed, and it heals when it is back", vanished},
		{"of a mixed fleet, those servers alone are adopted that may be", mixedFleet},
		{"the Release is deleted in the moment in which it adopts servers, and they leave their pools first", adoptedAndDeleted},
		{"servers are adopted while the image cannot be looked up, a pool leaves the spec and the Release is deleted", adoptedBeforeRecord},
		{"servers on another port than the target group's own are not adopted until they are on it", adoptedOnOwnPort},
		{"a pool leaves the spec while adopted servers serve in it, and they leave it before they end", adoptedLeavesPool},
		{"hand-made servers are adopted, and retired at Complete", adopted},
	},
)

// oneSick: the second version answers 204, which the target groups take for healthy and the classic load balancer does not.
func oneSick(w *World) {
	w.MakeTargetGroup("test-group")
	w.MakeListener("test-group", "test-group")
	for _, group := range []string{"test-group", "api"} {
		arn := w.GroupARN(group)
		_, err := w.Person().ELBv2.ModifyTargetGroup(w.Context(), &elbv2.ModifyTargetGroupInput{
			TargetGroupArn: &arn, Matcher: &elbv2types.Matcher{HttpCode: aws.String("200-204")},
		})
		w.must("change the matcher of "+group, err)
	}
	w.Settled(func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Test = []v1alpha1.Pool{Group("test-group", "test-group")}
	})
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
		rel.Spec.Template.UserData = Script("status=204")
	})
	w.Until("v2 is healthy in one of two", func() bool { return w.Versions("api")["v2"] == 2 })
	untouched := func() bool { return w.Registered("edge", "v1") == 2 && w.Registered("api", "v1") == 2 }
	w.For(9*time.Minute, "v1 stays in both pools", untouched)
	w.Until("the promotion failed", func() bool { return w.Stalled("web", v1alpha1.ReasonPromotionFailed) && w.Serves("v1") })
	w.expect(untouched(), "v1 never left")
}

func zonal(w *World) {
	w.MakeClassic("zonal", false)
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Production = []v1alpha1.Pool{Classic("edge", "edge"), Classic("zonal", "zonal")}
		rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, "v1"
	}))
	w.Until("v1 is complete", func() bool { return w.Ready("web") && w.Only("zonal", "v1") })
	zones := []string{w.AWS.Region() + "a", w.AWS.Region() + "b"}
	w.AWS.SetCapacity(microType, zones[1], 0)
	w.AWS.SetCapacity(smallType, zones[1], 0)
	w.Deploy("web", "v2", v1alpha1.PhaseLive)
	untouched := func() bool { return w.Registered("edge", "v1") == 2 && w.Registered("zonal", "v1") == 2 }
	w.Until("it is stalled", func() bool { // for want of room, or because what went to the other zone would leave this one empty
		return w.Stalled("web", v1alpha1.ReasonNoCapacity) || w.Stalled("web", v1alpha1.ReasonUnsafe)
	})
	w.expect(w.Says("web", v1alpha1.ConditionStalled, zones[1]), "the message names the zone")
	w.For(20*time.Minute, "v1 serves in every zone", func() bool {
		return untouched() && w.HealthyIn("zonal", zones[0]) == 1 && w.HealthyIn("zonal", zones[1]) == 1
	})
	w.AWS.SetCapacity(microType, zones[1], -1)
	w.Until("with room again, v2 is Live", func() bool { return w.Ready("web") && w.Only("edge", "v2") && w.Only("zonal", "v2") })
	w.expect(w.HealthyIn("zonal", zones[0]) == 1 && w.HealthyIn("zonal", zones[1]) == 1, "it serves in every zone")
}

// HealthyIn counts the healthy members of a pool in one zone.
func (w *World) HealthyIn(pool, zone string) int {
	n := 0
	for _, m := range w.Members(pool) {
		if m.Zone == zone && m.State == "healthy" {
			n++
		}
	}
	return n
}

func vanished(w *World) {
	w.InPreview()
	w.RemoveClassic("edge")
	w.Phase("web", v1alpha1.PhaseLive)
	w.For(15*time.Minute, "v1 stays in the other pool", func() bool { return w.Registered("api", "v1") == 2 })
	w.expect(w.Is("web", v1alpha1.ConditionBlind) && w.Stalled("web", v1alpha1.ReasonPoolNotFound), "it says so")
	w.expect(w.Says("web", v1alpha1.ConditionStalled, "edge"), "and names the pool")
	w.MakeClassic("edge", true)
	w.Phase("web", v1alpha1.PhasePreview) // in case the promotion was rejected meanwhile
	w.Until("v1 serves in both", func() bool { return w.Ready("web") && w.Serves("v1") })
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
}

// RemoveClassic deletes a classic load balancer, as a person does by mistake.
func (w *World) RemoveClassic(name string) {
	w.Helper()
	_, err := w.Person().ELB.DeleteLoadBalancer(w.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerName: &name})
	w.must("delete "+name, err)
}

func adopted(w *World) {
	p := w.Person()
	run, err := p.EC2.RunInstances(w.Context(), &ec2.RunInstancesInput{
		ImageId: &w.Site.V1, InstanceType: microType, MinCount: aws.Int32(2), MaxCount: aws.Int32(2), SubnetId: &w.Site.Subnets[0],
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: []ec2types.Tag{
			{Key: aws.String(roleKey), Value: aws.String(hotServer)},
			{Key: aws.String("slipway.dev/adopt"), Value: aws.String(w.Namespace + "/web")},
		}}},
	})
	w.must("launch by hand", err)
	members := make([]elbtypes.Instance, 0, len(run.Instances))
	for _, i := range run.Instances {
		members = append(members, elbtypes.Instance{InstanceId: i.InstanceId})
	}
	w.Pass(Boot + Configure)
	_, err = p.ELB.RegisterInstancesWithLoadBalancer(w.Context(), &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: aws.String("edge"), Instances: members,
	})
	w.must("register by hand", err)
	w.Pass(time.Minute)
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) {
		rel.Spec.Version = "v2"
		rel.Spec.Adopt = &v1alpha1.AdoptSource{Tags: map[string]v1alpha1.TagValue{roleKey: hotServer}}
	}))
	w.Until("v2 is ready in Preview beside the adopted servers", func() bool { return w.Is("web", v1alpha1.ConditionPreviewReady) && w.Only("test", "v2") })
	w.expect(len(w.Release("web").Status.Stable.ServerIDs) == 2, "the adopted ones are the stable fleet")
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is Live", func() bool { return w.Serves("v2") && w.Is("web", v1alpha1.ConditionPromoted) })
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("a rollback reaches the adopted ones", func() bool { return w.Registered("edge", "v1") == 2 && w.Registered("edge", "v2") == 0 })
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is Live", func() bool { return w.Serves("v2") && w.Is("web", v1alpha1.ConditionPromoted) })
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("the adopted ones are retired", func() bool { return len(w.Servers("")) == 2 && w.Ready("web") })
}
