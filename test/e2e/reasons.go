package e2e

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// latePool is a pool that is made late, or by mistake.
const latePool = "late"

// reasons are those ways of getting stuck that no mistake of AWS or of the class leads to.
var reasons = []Scenario{
	{"a candidate that is sick on the test pool is told after health.timeout, and goes on when it is mended", healthTimeout},
	{"servers that do not come to run are told after health.launchTimeout, and go on when they do", launchTimeout},
	{"a rollback to a sick version leaves both in production, says so, and goes on when it is mended", unsafeRollback},
	{"an override that expires too far ahead counts only where it holds production back", overrideTooFar},
	{"the record of the stable fleet is lost, and a server of it too", revisionLost},
	{"a test pool takes no servers of this network", otherNetwork},
	{"the same target group is for production by name and for tests by ARN", poolTwice},
}

func healthTimeout(w *World) {
	w.Settled(hasty)
	w.Mark()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
		rel.Spec.Template.UserData = Script("status=503")
	})
	began := w.Clock.Now()
	says := told(v1alpha1.ReasonHealthTimeout, "Instance has failed at least the UnhealthyThreshold number of health checks consecutively",
		"mend the servers, or declare another version", "version v2: 0 of 2 servers are healthy", "in test")
	w.UntilWithin("it is told", 2*time.Minute, func() bool { return w.tells(says) })
	w.expect(w.Clock.Now().Sub(began) >= time.Minute, "it had health.timeout")
	w.while(brief, says, func() bool {
		return w.serving("v1") && w.moves() == 0 && len(w.Servers("v2")) == 2 && w.Registered(testPool, "v2") == 2
	})
	w.Answer("v2", 200)
	w.healed("v2", "v1")
}

func launchTimeout(w *World) {
	w.Settled(hasty)
	w.Mark()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
		rel.Spec.Template.UserData = Script("boot=15m")
	})
	began := w.Clock.Now()
	says := told(v1alpha1.ReasonLaunchTimeout, "0 of 2 servers run after 1m30s", "look at the EC2 instances, or declare another version", "version v2")
	w.UntilWithin("it is told", 2*time.Minute, func() bool { return w.tells(says) })
	w.expect(w.Clock.Now().Sub(began) >= 90*time.Second, "it had health.launchTimeout")
	w.while(brief, says, func() bool { return w.serving("v1") && w.moves() == 0 && len(w.Servers("v2")) == 2 })
	w.Until("they run", func() bool { return w.Whole("v2", "") == 2 })
	w.healed("v2", "v1")
}

func unsafeRollback(w *World) {
	w.Live()
	w.Answer("v1", 500)
	w.Phase("web", v1alpha1.PhaseRolledBack)
	says := told(v1alpha1.ReasonUnsafe, "stable version v1 is not healthy there", "once it is, this goes on by itself", "nobody is taken out of production")
	w.UntilWithin("it is told", patched, func() bool { return w.tells(says) })
	w.while(brief, says, func() bool {
		return w.answers("v2") && w.Registered(edgePool, "v2") == 2 && w.Registered(apiPool, "v2") == 2 &&
			w.Registered(edgePool, "v1") == 2 && w.Registered(apiPool, "v1") == 2
	})
	w.Answer("v1", 200)
	w.UntilWithin("v1 serves", patched, func() bool { return w.Ready("web") && w.serving("v1") && w.exactly(testPool, "v2") })
	w.expect(len(w.AWS.Instances()) == 4, "nothing was launched or ended")
	w.Converged("web")
}

// overrideTooFar: one to Live does not count, and one that holds production back does; both are told.
func overrideTooFar(w *World) {
	w.InPreview()
	w.Mark()
	set := func(phase v1alpha1.Phase, ahead time.Duration) {
		w.Edit("web", func(rel *v1alpha1.Release) {
			rel.Spec.Override = &v1alpha1.PhaseOverride{
				Revision: string(rel.Status.Candidate.Revision), Phase: phase, Reason: "checkout answers 500", By: "alice",
				ExpiresAt: metav1.NewTime(w.Clock.Now().Add(ahead)),
			}
		})
	}
	says := func(counts string) refusal {
		ends := "spec.override expires at " + w.Release("web").Spec.Override.ExpiresAt.UTC().Format(time.RFC3339)
		return told(v1alpha1.ReasonInvalidOverride, "more than 7 days from now", "set spec.override.expiresAt to at most", ends, counts)
	}
	set(v1alpha1.PhaseLive, 8*24*time.Hour)
	idle := says("does not count before")
	w.UntilWithin("it is told", time.Minute, func() bool { return w.tells(idle) })
	w.while(stuck, idle, func() bool { return w.serving("v1") && len(w.Mutations()) == 0 })
	set(v1alpha1.PhaseLive, 2*time.Hour)
	w.UntilWithin("v2 serves", patched, func() bool { return w.Ready("web") && w.serving("v2") })
	w.Phase("web", v1alpha1.PhaseLive)
	set(v1alpha1.PhaseRolledBack, 8*24*time.Hour)
	holds := says("counts all the same")
	w.UntilWithin("v1 serves", patched, func() bool { return w.serving("v1") && w.tells(holds) })
	w.while(stuck, holds, func() bool { return w.serving("v1") })
	set(v1alpha1.PhaseRolledBack, 2*time.Hour)
	w.UntilWithin("nothing is wrong", patched, func() bool { return w.Ready("web") && w.serving("v1") })
}

// revisionLost: a fleet whose record is gone serves and is not repaired. A version that takes its place ends the trouble.
func revisionLost(w *World) {
	w.InPreview()
	record := &appsv1.ControllerRevision{}
	name := string(w.Release("web").Status.Stable.Revision)
	w.must("find the record", w.Kube.Get(w.Context(), client.ObjectKey{Namespace: w.Namespace, Name: name}, record))
	w.must("lose the record", w.Kube.Delete(w.Context(), record))
	w.For(5*time.Minute, "nothing is due, and nothing is said", func() bool { return w.Ready("web") && w.serving("v1") })
	w.Mark()
	w.must("kill", w.AWS.Kill(w.Servers("v1")[0].ID))
	says := told(v1alpha1.ReasonRevisionLost, "has no ControllerRevision, so nothing can be launched for it and 1 of 2 servers are missing",
		"deploy a version to take its place", "the fleet of version v1")
	w.UntilWithin("it is told", patched, func() bool { return w.tells(says) })
	w.while(stuck, says, func() bool {
		return w.answers("v1") && w.moves() == 0 && len(w.Servers("v1")) == 1 && w.Mutations()["RunInstances"] == 0
	})
	w.Phase("web", v1alpha1.PhaseLive)
	w.UntilWithin("v2 is Live", patched, func() bool { return w.Ready("web") && w.serving("v2") && w.Empty(testPool) })
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("v1 is gone", func() bool { return w.Ready("web") && len(w.Servers("")) == 2 })
	w.Pass(30 * time.Minute) // what is kept of servers that had no record goes last
	w.Converged("web")
}

// otherNetwork: a target group is in a network, and takes servers of that one alone.
func otherNetwork(w *World) {
	vpc := w.AWS.SeedVPC("")
	subnets := make([]string, 0, 2)
	for _, zone := range []string{"a", "b"} {
		subnets = append(subnets, w.AWS.SeedSubnet(localaws.Subnet{VPC: vpc, AZ: w.AWS.Region() + zone}))
	}
	p, ctx := w.Person(), w.Context()
	made, err := p.ELBv2.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{
		Name: aws.String(latePool), Protocol: elbv2types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: &vpc, TargetType: elbv2types.TargetTypeEnumInstance,
		Tags: []elbv2types.Tag{{Key: aws.String(cloud.TagCluster), Value: aws.String(clusterName)}},
	})
	w.must("make a target group", err)
	lb, err := p.ELBv2.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{
		Name: aws.String(latePool), Subnets: subnets, SecurityGroups: []string{w.AWS.SeedSecurityGroup("", "far", vpc)},
	})
	w.must("make a load balancer", err)
	_, err = p.ELBv2.CreateListener(ctx, &elbv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Port: aws.Int32(80), Protocol: elbv2types.ProtocolEnumHttp,
		DefaultActions: []elbv2types.Action{{Type: elbv2types.ActionTypeEnumForward, TargetGroupArn: made.TargetGroups[0].TargetGroupArn}},
	})
	w.must("make a listener", err)

	w.Settled(hasty)
	w.Mark()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
		rel.Spec.LoadBalancers.Test = []v1alpha1.Pool{Group(latePool, latePool)}
	})
	w.refused(told(v1alpha1.ReasonPoolRefusesServers, "(InvalidTarget)", "See in EC2 whether the server runs, and is in the VPC of the load balancer",
		"i-", "target group late", vpc), "v1", 2)
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Test = []v1alpha1.Pool{Classic(testPool, testPool)}
	})
	w.healed("v2", "v1")
}

// poolTwice: the API server knows the name in an ARN, and refuses the edit.
func poolTwice(w *World) {
	w.Settled()
	err := w.TryEdit("web", func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Test = append(rel.Spec.LoadBalancers.Test,
			v1alpha1.Pool{Name: "again", TargetGroup: &v1alpha1.TargetGroup{ARN: w.GroupARN(apiPool)}})
	})
	w.expect(apierrors.IsInvalid(err) && strings.Contains(err.Error(), "test pool again is the same load balancer or target group as one under production") &&
		strings.Contains(err.Error(), "remove it from test"), "the API server refuses it: %v", err)
}
