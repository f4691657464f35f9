package e2e

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// HandMade launches a server by hand, with tags, and registers it with classic load balancers once it answers.
func (w *World) HandMade(tags map[string]string, balancers ...string) string {
	w.Helper()
	list := make([]ec2types.Tag, 0, len(tags))
	for key, value := range tags {
		list = append(list, ec2types.Tag{Key: &key, Value: &value})
	}
	run, err := w.Person().EC2.RunInstances(w.Context(), &ec2.RunInstancesInput{
		ImageId: &w.Site.V1, InstanceType: microType, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &w.Site.Subnets[0],
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: list}},
	})
	w.must("launch by hand", err)
	id := *run.Instances[0].InstanceId
	w.Pass(Boot + Configure)
	for _, name := range balancers {
		_, err := w.Person().ELB.RegisterInstancesWithLoadBalancer(w.Context(), &elb.RegisterInstancesWithLoadBalancerInput{
			LoadBalancerName: &name, Instances: []elbtypes.Instance{{InstanceId: &id}},
		})
		w.must("register by hand", err)
	}
	return id
}

// mixedFleet: of the servers made by hand, those alone are adopted that match, say themselves that they may be, and are in a
// production pool of the Release. The others are never touched, to the end of the adopted ones and after.
func mixedFleet(w *World) {
	w.MakeClassic("theirs", true)
	const key, mark = roleKey, "slipway.dev/adopt"
	hot, mine := hotServer, w.Namespace+"/web"
	ours := []string{
		w.HandMade(map[string]string{key: hot, mark: mine}, "edge"),
		w.HandMade(map[string]string{key: hot, mark: mine}, "edge"),
	}
	others := map[string]string{
		w.HandMade(map[string]string{key: hot}, "edge"):                               "has no adopt tag",
		w.HandMade(map[string]string{key: "cron", mark: mine}, "edge"):                "does not match",
		w.HandMade(map[string]string{key: hot, mark: w.Namespace + "/rival"}, "edge"): "is meant for another Release",
		w.HandMade(map[string]string{key: hot, mark: mine}):                           "is in no pool",
		w.HandMade(map[string]string{key: hot, mark: mine}, "theirs"):                 "is in a pool that is not ours",
		w.HandMade(map[string]string{key: hot, mark: mine}, "test"):                   "is in the test pool alone",
	}
	before := map[string]string{}
	for id := range others {
		before[id] = w.runningTags(id)
	}
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) {
		rel.Spec.Version = "v2"
		rel.Spec.Adopt = &v1alpha1.AdoptSource{Tags: map[string]v1alpha1.TagValue{key: v1alpha1.TagValue(hot)}}
	}))
	w.Until("v2 is ready in Preview", func() bool { return w.Is("web", v1alpha1.ConditionPreviewReady) && w.Only("test", "v2") })
	adopted := w.Release("web").Status.Stable.ServerIDs
	w.expect(len(adopted) == 2 && len(w.Servers("")) == 4, "two are adopted: %v", adopted)
	w.expect(w.inEdge(ours...), "they serve")
	promoted := func() bool { return w.Is("web", v1alpha1.ConditionPromoted) && w.Serves("v2") }
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is Live", promoted)
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("the adopted ones serve", func() bool { return w.inEdge(ours...) && !w.Only("edge", "v2") })
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is Live again", promoted)
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("the adopted ones are gone", func() bool { return w.Ready("web") && len(w.Servers("")) == 2 })
	w.expect(w.runningTags(ours[0]) == "" && w.runningTags(ours[1]) == "", "both were retired")
	for id, why := range others {
		w.expect(w.runningTags(id) == before[id], "%s runs untouched: it %s", id, why)
	}
	w.expect(len(w.Members("edge")) == 2+3 && len(w.Members("theirs")) == 1 && len(w.Members("test")) == 1, "they are where they were")
	w.UntilWithin("what was remembered of them is forgotten", 15*time.Minute, func() bool { return len(w.revisions()) == 1 })
	w.Converged("web")
}

// adoptedAndDeleted: the Release is deleted in the moment in which it takes servers over. EC2 may not show yet whose they are, and
// still nothing of it is left: they leave the pools that they serve in, and then end.
func adoptedAndDeleted(w *World) {
	w.handMadePair()
	w.Create(w.NewRelease(terminating, adopting))
	w.takenOver()
	deleteAll(w)
}

// adoptedBeforeRecord: nothing is recorded yet when servers are taken over, because the image cannot be looked up. A pool that they
// serve in leaves the spec in that moment, and the Release is deleted. They leave both pools before they end.
func adoptedBeforeRecord(w *World) {
	w.handMadePair()
	w.Create(w.NewRelease(terminating, adopting, func(rel *v1alpha1.Release) {
		rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: "/images/none"}
	}))
	w.takenOver()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.LoadBalancers.Production = rel.Spec.LoadBalancers.Production[:1] })
	deleteAll(w)
}

// takenOver waits until EC2 has the tags of both servers, whoever sees them.
func (w *World) takenOver() {
	w.Helper()
	w.Until("they are taken over", func() bool { return len(w.Servers("")) >= 2 })
}

// adoptedLeavesPool: a pool leaves the spec in the moment in which servers that serve in it are taken over. They leave it before
// they end.
func adoptedLeavesPool(w *World) {
	w.handMadePair()
	w.Create(w.NewRelease(adopting))
	w.takenOver()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.LoadBalancers.Production = rel.Spec.LoadBalancers.Production[:1] })
	w.Until("v2 is ready in Preview", func() bool { return w.Is("web", v1alpha1.ConditionPreviewReady) && w.Only(testPool, "v2") })
	w.expect(w.Registered(apiPool, "v1") == 2, "they serve in the pool that left the spec")
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("the old ones are gone", func() bool { return w.Ready("web") && len(w.Servers("")) == 2 && w.Only(edgePool, "v2") })
	w.expect(w.Empty(apiPool), "the pool that left the spec is empty")
	w.UntilWithin("what was remembered of them is forgotten", 15*time.Minute, func() bool { return len(w.revisions()) == 1 })
	w.Converged("web")
}

// adoptedOnOwnPort: a server that was attached with a port of its own could not be put back by a rollback, and nobody is taken over.
func adoptedOnOwnPort(w *World) {
	tags := map[string]string{roleKey: hotServer, cloud.TagAdopt: w.Namespace + "/web"}
	one, other := w.HandMade(tags, edgePool), w.HandMade(tags, edgePool)
	w.PutIn(apiPool, one)
	w.target(apiPool, other, aws.Int32(8081))
	before := w.runningTags(other)
	w.Pass(time.Minute)
	w.Create(w.NewRelease(adopting))
	w.Until("it says which server is where", func() bool {
		return w.Stalled("web", v1alpha1.ReasonPoolUnsupported) && w.Says("web", v1alpha1.ConditionStalled, other, "port")
	})
	w.For(2*time.Minute, "nobody is taken over, and nothing launched", func() bool { return w.runningTags(other) == before && w.Launched() == 0 })
	info, _ := w.AWS.Pool(apiPool)
	w.PutIn(apiPool, other)
	_, err := w.Person().ELBv2.DeregisterTargets(w.Context(), &elbv2.DeregisterTargetsInput{
		TargetGroupArn: &info.ARN, Targets: []elbv2types.TargetDescription{{Id: &other, Port: aws.Int32(8081)}},
	})
	w.must("take it off the other port", err)
	w.Until("both are the stable fleet", func() bool {
		status := w.Release("web").Status
		return w.Ready("web") && status.Stable != nil && len(status.Stable.ServerIDs) == 2
	})
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("the adopted ones serve again", func() bool { return w.Ready("web") && w.Serves("v1") })
}

// handMadePair makes two servers by hand that serve in both production pools and may be adopted.
func (w *World) handMadePair() {
	w.Helper()
	for range 2 {
		w.PutIn(apiPool, w.HandMade(map[string]string{roleKey: hotServer, cloud.TagAdopt: w.Namespace + "/web"}, edgePool))
	}
	w.Pass(time.Minute)
}

// adopting makes a Release of v2 that takes over what was made by hand.
func adopting(rel *v1alpha1.Release) {
	rel.Spec.Version = "v2"
	rel.Spec.Adopt = &v1alpha1.AdoptSource{Tags: map[string]v1alpha1.TagValue{roleKey: hotServer}}
}

// runningTags are a server's tags as text; "" where it does not run.
func (w *World) runningTags(id string) string {
	s, _ := w.AWS.Instance(id)
	if s.State != running {
		return ""
	}
	return fmt.Sprint(s.Tags)
}

// inEdge reports whether all these servers are registered in the pool edge, and not draining.
func (w *World) inEdge(ids ...string) bool {
	w.Helper()
	found := 0
	for _, m := range w.Members(edgePool) {
		if slices.Contains(ids, m.InstanceID) && !m.Draining {
			found++
		}
	}
	return found == len(ids)
}
