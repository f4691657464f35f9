package awscloud

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

const (
	// namePrefix marks a target that is a target group's name instead of its ARN.
	namePrefix = "name/"
	// crossZoneKey is an attribute of target groups and of load balancers.
	crossZoneKey = "load_balancing.cross_zone.enabled"
)

// targetGroups works on target groups of application and network load balancers whose targets are instances.
type targetGroups struct {
	api    targetGroupAPI
	health targetsAPI

	mu sync.Mutex
	// ports are those that each member of a target group was last seen with, where it has any: whoever was registered
	// with a port of its own is only deregistered with it.
	ports map[string]map[string][]int32
	// own is the port of each group that was resolved: who is registered without one is seen on it.
	own map[string]int32
}

func newTargetGroups(client interface {
	targetGroupAPI
	targetsAPI
}) *targetGroups {
	return &targetGroups{api: client, health: client, ports: map[string]map[string][]int32{}, own: map[string]int32{}}
}

// groupName is NAME of …:targetgroup/NAME/0123456789abcdef, or of name/NAME.
func groupName(id string) string {
	_, rest, _ := strings.Cut(id, "/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func groupThing(id string) string { return "target group " + groupName(id) }

func (t *targetGroups) resolve(ctx context.Context, target string) (rollout.Pool, error) {
	input := &elbv2.DescribeTargetGroupsInput{}
	if name, ok := strings.CutPrefix(target, namePrefix); ok {
		input.Names = []string{name}
	} else {
		input.TargetGroupArns = []string{target}
	}
	answer, err := t.api.DescribeTargetGroups(ctx, input)
	if err != nil {
		return rollout.Pool{}, explain(err, groupThing(target), poolMeanings)
	}
	if len(answer.TargetGroups) != 1 {
		return rollout.Pool{}, fmt.Errorf("%s: AWS described %d target groups instead of one",
			groupThing(target), len(answer.TargetGroups))
	}
	group := answer.TargetGroups[0]
	t.rememberOwn(group)
	if group.TargetType != types.TargetTypeEnumInstance {
		return rollout.Pool{}, &cloud.Error{Kind: cloud.Invalid, Reason: rollout.ReasonPoolUnsupported,
			Thing: groupThing(target), Code: ownCode,
			Message: fmt.Sprintf("its targets are of type %s, not instance", group.TargetType),
			Advice:  "Use a target group of type instance"}
	}
	pool := rollout.Pool{ID: aws.ToString(group.TargetGroupArn), Name: aws.ToString(group.TargetGroupName),
		Kind: kindOf(group), NotInUse: len(group.LoadBalancerArns) == 0}
	pool.ZonalOnly, err = t.zonalOnly(ctx, group, pool.Kind)
	return pool, err
}

// kindOf is the type of the group's load balancer (…:loadbalancer/app/… or …/net/…), or while it has none, of the only
// one that speaks its protocol.
func kindOf(group types.TargetGroup) rollout.PoolKind {
	application := group.Protocol == types.ProtocolEnumHttp || group.Protocol == types.ProtocolEnumHttps
	if len(group.LoadBalancerArns) > 0 {
		application = strings.Contains(group.LoadBalancerArns[0], ":loadbalancer/app/")
	}
	if application {
		return rollout.KindALB
	}
	return rollout.KindNLB
}

// zonalOnly reports whether each zone's traffic stays in its zone. The group decides, or leaves it to its load balancer:
// application load balancers always balance across zones, network load balancers only where told to. It is true beside an
// error.
func (t *targetGroups) zonalOnly(ctx context.Context, group types.TargetGroup, kind rollout.PoolKind) (bool, error) {
	thing := groupThing(aws.ToString(group.TargetGroupArn))
	own, err := t.api.DescribeTargetGroupAttributes(ctx, &elbv2.DescribeTargetGroupAttributesInput{
		TargetGroupArn: group.TargetGroupArn,
	})
	if err != nil {
		return true, explain(err, thing, poolMeanings)
	}
	for _, attribute := range own.Attributes {
		if value := aws.ToString(attribute.Value); aws.ToString(attribute.Key) == crossZoneKey &&
			(value == "true" || value == "false") {
			return value == "false", nil
		}
	}
	if kind == rollout.KindALB || len(group.LoadBalancerArns) == 0 {
		return kind != rollout.KindALB, nil
	}
	balancer, err := t.api.DescribeLoadBalancerAttributes(ctx, &elbv2.DescribeLoadBalancerAttributesInput{
		LoadBalancerArn: aws.String(group.LoadBalancerArns[0]),
	})
	if err != nil {
		return true, explain(err, "the load balancer of "+thing, poolMeanings)
	}
	for _, attribute := range balancer.Attributes {
		if aws.ToString(attribute.Key) == crossZoneKey {
			return aws.ToString(attribute.Value) != "true", nil
		}
	}
	return true, nil
}

// read takes one call: the health of all targets.
func (t *targetGroups) read(ctx context.Context, pool rollout.Pool) (rollout.Pool, error) {
	answer, err := t.health.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{
		TargetGroupArn: aws.String(pool.ID),
	})
	if err != nil {
		err = explain(err, groupThing(pool.ID), poolMeanings)
		if cloud.KindOf(err) == cloud.NotFound {
			t.rememberPorts(pool.ID, nil)
		}
		return pool, err
	}
	t.rememberPorts(pool.ID, answer.TargetHealthDescriptions)
	pool.Members = t.withPorts(pool.ID, targetMembers(answer.TargetHealthDescriptions))
	pool.NotInUse = notInUse(pool.NotInUse, answer.TargetHealthDescriptions)
	return pool, nil
}

func (t *targetGroups) rememberPorts(id string, targets []types.TargetHealthDescription) {
	ports := map[string][]int32{}
	for _, target := range targets {
		if target.Target != nil && target.Target.Port != nil {
			server := aws.ToString(target.Target.Id)
			ports[server] = append(ports[server], *target.Target.Port)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(ports) == 0 {
		delete(t.ports, id)
		return
	}
	t.ports[id] = ports
}

// withPorts marks the members that are registered on another port than the group's own. Of one that drains it does not matter any more.
func (t *targetGroups) withPorts(id string, members []rollout.Member) []rollout.Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.own[id]
	for i := range members {
		other := func(port int32) bool { return port != own }
		members[i].OtherPort = own != 0 && members[i].State != rollout.MemberDraining && slices.ContainsFunc(t.ports[id][members[i].Server], other)
	}
	return members
}

func (t *targetGroups) rememberOwn(group types.TargetGroup) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.own[aws.ToString(group.TargetGroupArn)] = aws.ToInt32(group.Port)
}

func (t *targetGroups) register(ctx context.Context, id string, servers []string) error {
	return inParts(servers, putInOf(ctx), func(some []string) error {
		targets := make([]types.TargetDescription, 0, len(some))
		for _, server := range some {
			targets = append(targets, types.TargetDescription{Id: aws.String(server)}) // on the group's own port
		}
		_, err := t.health.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{
			TargetGroupArn: aws.String(id), Targets: targets,
		})
		return explain(err, listed(some)+" in "+groupThing(id), poolMeanings)
	})
}

func (t *targetGroups) deregister(ctx context.Context, id string, servers []string) error {
	return inParts(servers, takeOut, func(some []string) error {
		_, err := t.health.DeregisterTargets(ctx, &elbv2.DeregisterTargetsInput{
			TargetGroupArn: aws.String(id), Targets: t.everyPort(id, some),
		})
		if len(some) == 1 && unfit.has(codeOf(err)) {
			return nil // no target: that is what was asked for
		}
		return explain(err, listed(some)+" in "+groupThing(id), poolMeanings)
	})
}

// everyPort names the servers with each port that they were last seen on.
func (t *targetGroups) everyPort(id string, servers []string) []types.TargetDescription {
	t.mu.Lock()
	defer t.mu.Unlock()
	var targets []types.TargetDescription
	for _, server := range servers {
		ports := t.ports[id][server]
		if len(ports) == 0 {
			targets = append(targets, types.TargetDescription{Id: aws.String(server)})
		}
		for _, port := range ports {
			targets = append(targets, types.TargetDescription{Id: aws.String(server), Port: aws.Int32(port)})
		}
	}
	return targets
}
