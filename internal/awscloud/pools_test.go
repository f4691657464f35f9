package awscloud_test

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// What a person would set up before Slipway comes: load balancers in the first two zones, checks every 5 s, 30 s to drain.

func (w *world) elb() *elb.Client     { return elb.NewFromConfig(w.config()) }
func (w *world) elbv2() *elbv2.Client { return elbv2.NewFromConfig(w.config()) }

// answered is the answer of a call that must succeed.
func answered[T any](w *world, answer T, err error) T {
	w.t.Helper()
	w.must(err)
	return answer
}

func (w *world) makeClassic(name string) cloud.PoolRef {
	w.t.Helper()
	_, err := w.elb().CreateLoadBalancer(w.t.Context(), &elb.CreateLoadBalancerInput{
		LoadBalancerName: &name, Subnets: w.site.Subnets[:2],
		Listeners: []elbtypes.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstancePort: aws.Int32(80)}},
	})
	w.must(err)
	_, err = w.elb().ConfigureHealthCheck(w.t.Context(), &elb.ConfigureHealthCheckInput{LoadBalancerName: &name,
		HealthCheck: &elbtypes.HealthCheck{Target: aws.String("HTTP:80/"), Interval: aws.Int32(5), Timeout: aws.Int32(2),
			HealthyThreshold: aws.Int32(2), UnhealthyThreshold: aws.Int32(2)}})
	w.must(err)
	w.setClassic(name, &elbtypes.LoadBalancerAttributes{ConnectionDraining: &elbtypes.ConnectionDraining{Enabled: true, Timeout: aws.Int32(30)}})
	return cloud.PoolRef{ClassicName: name}
}

func (w *world) setClassic(name string, attributes *elbtypes.LoadBalancerAttributes) {
	w.t.Helper()
	_, err := w.elb().ModifyLoadBalancerAttributes(w.t.Context(), &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerName: &name, LoadBalancerAttributes: attributes})
	w.must(err)
}

// makeGroup makes a target group that nothing uses.
func (w *world) makeGroup(name string, protocol types.ProtocolEnum) cloud.PoolRef {
	w.t.Helper()
	answer, err := w.elbv2().CreateTargetGroup(w.t.Context(), &elbv2.CreateTargetGroupInput{Name: &name, Protocol: protocol,
		Port: aws.Int32(80), VpcId: &w.site.VPC, HealthCheckIntervalSeconds: aws.Int32(5),
		HealthCheckTimeoutSeconds: aws.Int32(2), HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2)})
	ref := cloud.PoolRef{TargetGroupARN: *answered(w, answer, err).TargetGroups[0].TargetGroupArn}
	w.setGroup(ref, "deregistration_delay.timeout_seconds", "30")
	return ref
}

func (w *world) setGroup(ref cloud.PoolRef, key, value string) {
	w.t.Helper()
	_, err := w.elbv2().ModifyTargetGroupAttributes(w.t.Context(), &elbv2.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &ref.TargetGroupARN, Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}}})
	w.must(err)
}

// use puts a target group behind a load balancer of its own, and returns the load balancer's ARN.
func (w *world) use(ref cloud.PoolRef, name string, kind types.LoadBalancerTypeEnum, protocol types.ProtocolEnum) string {
	w.t.Helper()
	answer, err := w.elbv2().CreateLoadBalancer(w.t.Context(), &elbv2.CreateLoadBalancerInput{
		Name: &name, Type: kind, Subnets: w.site.Subnets[:2]})
	arn := *answered(w, answer, err).LoadBalancers[0].LoadBalancerArn
	_, err = w.elbv2().CreateListener(w.t.Context(), &elbv2.CreateListenerInput{LoadBalancerArn: &arn, Port: aws.Int32(80),
		Protocol: protocol, DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &ref.TargetGroupARN}}})
	w.must(err)
	return arn
}

func (w *world) makeALB(name string) cloud.PoolRef {
	w.t.Helper()
	ref := w.makeGroup(name, types.ProtocolEnumHttp)
	w.use(ref, name, types.LoadBalancerTypeEnumApplication, types.ProtocolEnumHttp)
	return ref
}

func (w *world) makeNLB(name string) cloud.PoolRef {
	w.t.Helper()
	ref := w.makeGroup(name, types.ProtocolEnumTcp)
	w.use(ref, name, types.LoadBalancerTypeEnumNetwork, types.ProtocolEnumTcp)
	return ref
}

func (w *world) resolve(ref cloud.PoolRef) rollout.Pool {
	w.t.Helper()
	pool, err := w.Balancer.Resolve(w.t.Context(), ref, time.Minute)
	return answered(w, pool, err)
}

func (w *world) read(pool rollout.Pool, asked ...string) rollout.Pool {
	w.t.Helper()
	pool, err := w.Balancer.Look(w.t.Context(), []string{pool.ID}).Read(w.t.Context(), pool, asked)
	return answered(w, pool, err)
}

func (w *world) register(pool rollout.Pool, servers ...string) {
	w.t.Helper()
	w.must(w.Balancer.Register(w.t.Context(), pool, servers))
}

func (w *world) deregister(pool rollout.Pool, servers ...string) {
	w.t.Helper()
	w.must(w.Balancer.Deregister(w.t.Context(), pool, servers))
}

// members are those of a pool in a state, sorted.
func members(pool rollout.Pool, state rollout.MemberState) []string {
	var ids []string
	for _, member := range pool.Members {
		if member.State == state {
			ids = append(ids, member.Server)
		}
	}
	return ids
}

// expectMembers says who is in a pool, and how.
func (w *world) expectMembers(pool rollout.Pool, state rollout.MemberState, want []string) {
	w.t.Helper()
	if got := members(pool, state); !slices.Equal(got, want) || len(got) != len(pool.Members) {
		w.t.Errorf("%s has %+v, want %v to be %s and nobody else", pool.Name, pool.Members, want, state)
	}
}

// healthy waits until so many are healthy in a pool, and returns how long that took.
func (w *world) healthy(pool rollout.Pool, want []string, limit time.Duration) time.Duration {
	w.t.Helper()
	began := time.Now()
	for {
		got := w.read(pool)
		if slices.Equal(members(got, rollout.MemberHealthy), want) {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			w.t.Fatalf("%s after %s: %+v", pool.Name, limit, got.Members)
		}
		w.pass(time.Second)
	}
}
