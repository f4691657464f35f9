package e2e

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// strangers are servers in the same load balancers that are not ours: they are never touched, and never counted.
var strangers = []Scenario{
	{"strangers in the same load balancers are not touched, from deploy to Complete", func(w *World) {
		stranger := w.Stranger(edgePool, apiPool, testPool)
		w.RolledBack()
		w.Phase("web", v1alpha1.PhaseLive)
		w.Until("v2 is Live again", func() bool { return w.Ready("web") && w.Serves("v2") })
		w.Phase("web", v1alpha1.PhaseComplete)
		w.Until("v2 is complete", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 0 })
		w.Converged("web")
		w.untouched(stranger, edgePool, apiPool, testPool)
	}},
	{"a healthy stranger is no reason to take ours out: a candidate that falls sick at the gate", func(w *World) {
		stranger := w.Stranger(edgePool, apiPool)
		w.Promoting()
		w.Answer("v2", 500)
		w.Until("the promotion failed", func() bool {
			w.expect(w.inBoth("v1"), "v1 never leaves")
			return w.Stalled("web", v1alpha1.ReasonPromotionFailed) && w.leftProduction()
		})
		w.untouched(stranger, edgePool, apiPool)
	}},
	{"deletion with Terminate leaves strangers", func(w *World) {
		stranger := w.Stranger(edgePool, apiPool, testPool)
		w.RolledBack(terminating)
		w.Delete("web")
		w.Until("the object is gone", func() bool { return w.Gone("web") })
		w.expect(len(w.Servers("")) == 0, "no server of ours is left")
		w.untouched(stranger, edgePool, apiPool, testPool)
		for _, pool := range []string{edgePool, apiPool, testPool} {
			w.expect(len(w.Members(pool)) == 1, "the stranger is alone in %s", pool)
		}
	}},
}

// Stranger launches a server that is not ours and registers it with pools.
func (w *World) Stranger(pools ...string) string {
	w.Helper()
	run, err := w.Person().EC2.RunInstances(w.Context(), &ec2.RunInstancesInput{ImageId: &w.Site.V1, InstanceType: microType,
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &w.Site.Subnets[0]})
	w.must("launch a stranger", err)
	id := *run.Instances[0].InstanceId
	w.Pass(Boot + Configure)
	for _, pool := range pools {
		w.PutIn(pool, id)
	}
	return id
}

// PutIn registers a server with a pool, as a person does.
func (w *World) PutIn(pool, id string) {
	w.Helper()
	if info, _ := w.AWS.Pool(pool); info.ARN != "" {
		w.target(pool, id, nil)
		return
	}
	_, err := w.Person().ELB.RegisterInstancesWithLoadBalancer(w.Context(), &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: &pool, Instances: []elbtypes.Instance{{InstanceId: &id}},
	})
	w.must("register "+id+" with "+pool, err)
}

// target registers a server with a target group by hand, on the group's own port or another one.
func (w *World) target(pool, id string, port *int32) {
	w.Helper()
	info, _ := w.AWS.Pool(pool)
	_, err := w.Person().ELBv2.RegisterTargets(w.Context(), &elbv2.RegisterTargetsInput{
		TargetGroupArn: &info.ARN, Targets: []elbv2types.TargetDescription{{Id: &id, Port: port}},
	})
	w.must("register "+id+" with "+pool, err)
}

// untouched: a stranger runs without a tag, healthy in its pools.
func (w *World) untouched(id string, pools ...string) {
	w.Helper()
	s, _ := w.AWS.Instance(id)
	w.expect(s.State == running && len(s.Tags) == 0, "nobody touched the stranger")
	for _, pool := range pools {
		w.expect(slices.ContainsFunc(w.Members(pool), func(m localaws.MemberInfo) bool {
			return m.InstanceID == id && m.State == healthy
		}), "the stranger is still in %s", pool)
	}
}
