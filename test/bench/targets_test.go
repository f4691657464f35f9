//go:build bench

package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// As many load balancers as AWS's quota of 1,000 targets for each asks for.
const (
	balancers         = 10
	groupsPerBalancer = 10
	groups            = balancers * groupsPerBalancer
	targets           = 100
)

// measureTargets reads the health of all targets of all groups, after all of them have become healthy: a target that no check has
// found, or that no rule sends to, would be answered with less work.
func measureTargets(t *testing.T, r *localAWS) {
	a := newAccount()
	defer a.Close()
	servers := slices.Collect(slices.Chunk(a.fleet(t, groups*targets), targets))
	var arns []string
	for b := range balancers {
		listener := a.newListener(t, fmt.Sprintf("balancer-%d", b))
		for g := range groupsPerBalancer {
			arns = append(arns, a.newGroup(t, listener, int32(g+1), servers[len(arns)]))
		}
	}
	a.awaitHealthy(t, arns)

	began := time.Now()
	for _, arn := range arns {
		if n := a.countHealthy(t, arn); n != targets {
			t.Fatalf("%d of %d targets of %s are healthy", n, targets, arn)
		}
	}
	r.DescribeTargets.Balancers, r.DescribeTargets.Groups, r.DescribeTargets.Targets = balancers, groups, targets
	r.DescribeTargets.Seconds = time.Since(began).Seconds()
	r.CallsPerSecond["DescribeTargetHealth, 100 targets"] = a.rates(t, func() error {
		_, err := a.elbv2.DescribeTargetHealth(t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &arns[0]})
		return err
	})
}

// newListener makes an Application Load Balancer with a listener that answers 404 itself, unless a rule says otherwise.
func (a *account) newListener(t *testing.T, name string) string {
	t.Helper()
	lb, err := a.elbv2.CreateLoadBalancer(t.Context(), &elbv2.CreateLoadBalancerInput{Name: &name, Subnets: a.site.Subnets[:2]})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := a.elbv2.CreateListener(t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Port: aws.Int32(80), Protocol: elbv2types.ProtocolEnumHttp,
		DefaultActions: []elbv2types.Action{{Type: elbv2types.ActionTypeEnumFixedResponse,
			FixedResponseConfig: &elbv2types.FixedResponseActionConfig{StatusCode: aws.String("404")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *listener.Listeners[0].ListenerArn
}

// newGroup makes a target group of its own targets, with a rule of the listener that sends to it.
func (a *account) newGroup(t *testing.T, listener string, priority int32, ids []string) string {
	t.Helper()
	name := "group-" + ids[0][2:]
	group, err := a.elbv2.CreateTargetGroup(t.Context(), &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: elbv2types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: &a.site.VPC,
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := *group.TargetGroups[0].TargetGroupArn
	if _, err = a.elbv2.CreateRule(t.Context(), &elbv2.CreateRuleInput{
		ListenerArn: &listener, Priority: &priority,
		Conditions: []elbv2types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/" + name + "/*"}}},
		Actions:    []elbv2types.Action{{Type: elbv2types.ActionTypeEnumForward, TargetGroupArn: &arn}},
	}); err != nil {
		t.Fatal(err)
	}
	list := make([]elbv2types.TargetDescription, len(ids))
	for i := range ids {
		list[i].Id = &ids[i]
	}
	if _, err = a.elbv2.RegisterTargets(t.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &arn, Targets: list}); err != nil {
		t.Fatal(err)
	}
	return arn
}

// awaitHealthy lets time pass until all targets are healthy: registration and the first check take a minute at most.
func (a *account) awaitHealthy(t *testing.T, arns []string) {
	t.Helper()
	left := slices.Clone(arns)
	for range 12 {
		a.clock.Advance(10 * time.Second)
		left = slices.DeleteFunc(left, func(arn string) bool { return a.countHealthy(t, arn) == targets })
		if len(left) == 0 {
			return
		}
	}
	t.Fatalf("after two minutes %d of %d groups have targets that are not healthy", len(left), len(arns))
}

func (a *account) countHealthy(t *testing.T, arn string) int {
	t.Helper()
	out, err := a.elbv2.DescribeTargetHealth(t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range out.TargetHealthDescriptions {
		if out.TargetHealthDescriptions[i].TargetHealth.State == elbv2types.TargetHealthStateEnumHealthy {
			n++
		}
	}
	return n
}
