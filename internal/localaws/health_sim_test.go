package localaws

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// balancerSim is a sim with clients of both ELB APIs.
type balancerSim struct {
	*sim
	elb      *elb.Client
	v2       *elbv2.Client
	launches int
	// unhealthy is the unhealthy threshold of new pools.
	unhealthy int32
}

func newBalancerSim(t testing.TB, tune ...func(*BalancerKnobs)) *balancerSim {
	t.Helper()
	s := newSim(t, func(k *Knobs) {
		k.Balancers.ClassicRegistration = Span{10 * time.Second, 10 * time.Second}
		k.Balancers.ApplicationRegistration = Span{2 * time.Second, 2 * time.Second}
		for _, f := range tune {
			f(&k.Balancers)
		}
	})
	cfg := s.config("AKIDTEST", "us-east-1")
	return &balancerSim{sim: s, elb: elb.NewFromConfig(cfg), v2: elbv2.NewFromConfig(cfg), unhealthy: 2}
}

// must is the answer of a call that has to succeed.
func must[T any](out T, err error) T {
	if err != nil {
		panic(err)
	}
	return out
}

func succeed(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// servers launches n running servers that answer at once; settings go to their user data.
func (s *balancerSim) servers(n int32, settings string, subnet int) []string {
	s.t.Helper()
	s.launches++
	ids := s.launch(n, func(in *ec2.RunInstancesInput) {
		in.ClientToken = aws.String(fmt.Sprintf("launch-%d", s.launches))
		in.UserData = userData("#localaws boot=1s configure=0s " + settings)
		in.SubnetId = &s.site.Subnets[subnet]
	})
	s.clock.Advance(time.Second)
	return ids
}

// until jumps from event to event until it holds, and returns the time that this took.
func (s *balancerSim) until(what string, limit time.Duration, holds func() bool) time.Duration {
	s.t.Helper()
	begin := s.clock.Now()
	for !holds() {
		next, ok := s.clock.Next()
		if !ok || next.Sub(begin) > limit {
			s.t.Fatalf("%s: not after %s", what, limit)
		}
		s.clock.Advance(next.Sub(s.clock.Now()))
	}
	return s.clock.Now().Sub(begin)
}

// classic makes a classic load balancer in two zones, checked over HTTP every 5 s.
func (s *balancerSim) classic(name string) {
	s.t.Helper()
	must(s.elb.CreateLoadBalancer(s.ctx, &elb.CreateLoadBalancerInput{
		LoadBalancerName: &name, Subnets: s.site.Subnets[:2],
		Listeners: []elbtypes.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstancePort: aws.Int32(8080)}}}))
	must(s.elb.ConfigureHealthCheck(s.ctx, &elb.ConfigureHealthCheckInput{
		LoadBalancerName: &name, HealthCheck: &elbtypes.HealthCheck{Target: aws.String("HTTP:8080/healthz"),
			Interval: aws.Int32(5), Timeout: aws.Int32(4), HealthyThreshold: aws.Int32(3), UnhealthyThreshold: &s.unhealthy}}))
}

// drain turns connection draining on.
func (s *balancerSim) drain(name string, timeout int32) {
	s.t.Helper()
	must(s.elb.ModifyLoadBalancerAttributes(s.ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerName: &name, LoadBalancerAttributes: &elbtypes.LoadBalancerAttributes{
			ConnectionDraining: &elbtypes.ConnectionDraining{Enabled: true, Timeout: &timeout}}}))
}

// crossZone says whether each node of a classic load balancer reaches the members of all zones.
func (s *balancerSim) crossZone(name string, on bool) {
	s.t.Helper()
	must(s.elb.ModifyLoadBalancerAttributes(s.ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerName: &name, LoadBalancerAttributes: &elbtypes.LoadBalancerAttributes{
			CrossZoneLoadBalancing: &elbtypes.CrossZoneLoadBalancing{Enabled: on}}}))
}

func instances(ids []string) []elbtypes.Instance {
	var out []elbtypes.Instance
	for _, id := range ids {
		out = append(out, elbtypes.Instance{InstanceId: &id})
	}
	return out
}

func (s *balancerSim) register(name string, ids ...string) {
	s.t.Helper()
	must(s.elb.RegisterInstancesWithLoadBalancer(s.ctx,
		&elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &name, Instances: instances(ids)}))
}

func (s *balancerSim) deregister(name string, ids ...string) {
	s.t.Helper()
	must(s.elb.DeregisterInstancesFromLoadBalancer(s.ctx,
		&elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: &name, Instances: instances(ids)}))
}

// classicHealth is state, reason and description of an instance by name.
func (s *balancerSim) classicHealth(name, id string) [3]string {
	s.t.Helper()
	out := must(s.elb.DescribeInstanceHealth(s.ctx,
		&elb.DescribeInstanceHealthInput{LoadBalancerName: &name, Instances: instances([]string{id})}))
	if len(out.InstanceStates) != 1 {
		s.t.Fatalf("health of %s in %s: %d answers", id, name, len(out.InstanceStates))
	}
	st := out.InstanceStates[0]
	return [3]string{*st.State, *st.ReasonCode, *st.Description}
}

// group makes a target group whose health check runs every 5 s.
func (s *balancerSim) group(name, protocol string) string {
	s.t.Helper()
	out := must(s.v2.CreateTargetGroup(s.ctx, &elbv2.CreateTargetGroupInput{Name: &name,
		Protocol: types.ProtocolEnum(protocol), Port: aws.Int32(80), VpcId: &s.site.VPC, HealthCheckIntervalSeconds: aws.Int32(5),
		HealthCheckTimeoutSeconds: aws.Int32(4), HealthyThresholdCount: aws.Int32(3), UnhealthyThresholdCount: &s.unhealthy}))
	return *out.TargetGroups[0].TargetGroupArn
}

// balancer makes an application or network load balancer in two zones.
func (s *balancerSim) balancer(name string, kind types.LoadBalancerTypeEnum) string {
	s.t.Helper()
	out := must(s.v2.CreateLoadBalancer(s.ctx, &elbv2.CreateLoadBalancerInput{Name: &name,
		Type: kind, Subnets: s.site.Subnets[:2]}))
	return *out.LoadBalancers[0].LoadBalancerArn
}

// forward is an action that spreads requests over target groups, with weight 1 each.
func forward(groups ...string) []types.Action {
	config := &types.ForwardActionConfig{}
	for _, arn := range groups {
		config.TargetGroups = append(config.TargetGroups, types.TargetGroupTuple{TargetGroupArn: &arn, Weight: aws.Int32(1)})
	}
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: config}}
}

// listener makes a listener that sends everything to the groups.
func (s *balancerSim) listener(balancer string, port int32, groups ...string) string {
	s.t.Helper()
	protocol := types.ProtocolEnumHttp
	if lb := s.balancers(balancer); lb.Type == types.LoadBalancerTypeEnumNetwork {
		protocol = types.ProtocolEnumTcp
	}
	out := must(s.v2.CreateListener(s.ctx, &elbv2.CreateListenerInput{LoadBalancerArn: &balancer,
		Port: &port, Protocol: protocol, DefaultActions: forward(groups...)}))
	return *out.Listeners[0].ListenerArn
}

func (s *balancerSim) balancers(arn string) types.LoadBalancer {
	s.t.Helper()
	out := must(s.v2.DescribeLoadBalancers(s.ctx,
		&elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{arn}}))
	return out.LoadBalancers[0]
}

// behind makes a load balancer with one listener that sends everything to a new target group, and returns the group.
func (s *balancerSim) behind(name string, kind types.LoadBalancerTypeEnum) (group string) {
	s.t.Helper()
	protocol := "HTTP"
	if kind == types.LoadBalancerTypeEnumNetwork {
		protocol = "TCP"
	}
	group = s.group(name, protocol)
	s.listener(s.balancer(name, kind), 80, group)
	return group
}

// delay sets a target group's deregistration delay.
func (s *balancerSim) delay(group, seconds string) {
	s.t.Helper()
	s.setGroup(group, "deregistration_delay.timeout_seconds", seconds)
}

func (s *balancerSim) setGroup(group, key, value string) {
	s.t.Helper()
	must(s.v2.ModifyTargetGroupAttributes(s.ctx, &elbv2.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &group, Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}}}))
}

func targets(ids []string) []types.TargetDescription {
	var out []types.TargetDescription
	for _, id := range ids {
		out = append(out, types.TargetDescription{Id: &id})
	}
	return out
}

func (s *balancerSim) enroll(group string, ids ...string) {
	s.t.Helper()
	must(s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: targets(ids)}))
}

func (s *balancerSim) remove(group string, ids ...string) {
	s.t.Helper()
	must(s.v2.DeregisterTargets(s.ctx, &elbv2.DeregisterTargetsInput{TargetGroupArn: &group, Targets: targets(ids)}))
}

// targetHealth is state, reason and description of a target by name.
func (s *balancerSim) targetHealth(group, id string) [3]string {
	s.t.Helper()
	out := must(s.v2.DescribeTargetHealth(s.ctx,
		&elbv2.DescribeTargetHealthInput{TargetGroupArn: &group, Targets: targets([]string{id})}))
	if len(out.TargetHealthDescriptions) != 1 {
		s.t.Fatalf("health of %s: %d answers", id, len(out.TargetHealthDescriptions))
	}
	h := out.TargetHealthDescriptions[0].TargetHealth
	return [3]string{string(h.State), string(h.Reason), aws.ToString(h.Description)}
}

// pool is the truth about a pool.
func (s *balancerSim) pool(nameOrARN string) PoolInfo {
	s.t.Helper()
	p, ok := s.Pool(nameOrARN)
	if !ok {
		s.t.Fatalf("there is no pool %s", nameOrARN)
	}
	return p
}

// member is the truth about a member; its State is empty if there is none.
func (s *balancerSim) member(pool, id string) MemberInfo {
	for _, m := range s.pool(pool).Members {
		if m.InstanceID == id {
			return m
		}
	}
	return MemberInfo{}
}

// changes are the states that a member went through, from the ledger.
func (s *balancerSim) changes(resource string) []string {
	var out []string
	for _, e := range s.Ledger() {
		if e.Change != nil && e.Change.Resource == resource {
			out = append(out, e.Change.To)
		}
	}
	return out
}
