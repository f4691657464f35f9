package awscloud

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// rehearsal implements cloud.Rehearsal: the adapters of an account as they are, over clients that write down instead of sending. So
// what is written down is what would be sent, batches and all, and there is no second place that knows how an action becomes a call.
type rehearsal struct {
	account *cloud.Account
	servers []rollout.Server
	calls   []cloud.Call
}

// newRehearsal begins one for an account whose target groups are those.
func newRehearsal(class cloud.Class, clock Clock, origin *targetGroups) *rehearsal {
	r := &rehearsal{}
	groups := origin.known()
	groups.health = groupNotes{r: r, groups: groups}
	inventory := newInventory(serverNotes{r: r}, clock, pageSize, func(cloud.Server) {})
	r.account = &cloud.Account{
		Compute: newCompute(serverNotes{r: r}, inventory, class, clock),
		Balancer: newBalancer(class.Region, clock, &identity{},
			&classic{api: classicNotes{r: r}, known: acquaintances{clock: clock}}, groups),
	}
	return r
}

// known are target groups of which as much is known as of these.
func (t *targetGroups) known() *targetGroups {
	t.mu.Lock()
	defer t.mu.Unlock()
	copied := &targetGroups{ports: map[string]map[string][]int32{}, own: maps.Clone(t.own)}
	for id, ports := range t.ports {
		copied.ports[id] = maps.Clone(ports)
	}
	return copied
}

// Note implements cloud.Rehearsal.
func (r *rehearsal) Note(ctx context.Context, servers []rollout.Server, do func(context.Context, *cloud.Account) error) ([]cloud.Call, error) {
	r.servers, r.calls = servers, nil
	err := do(ctx, r.account)
	return r.calls, err
}

// note writes a call down.
func (r *rehearsal) note(service, operation string, input any) error {
	parameters, err := parametersOf(input)
	if err != nil {
		return fmt.Errorf("%s: its parameters cannot be written down: %w", operation, err)
	}
	r.calls = append(r.calls, cloud.Call{Service: service, Operation: operation, Parameters: parameters})
	return nil
}

// parametersOf are the parameters of a call under AWS's names, as the aws command line takes them with --cli-input-json.
func parametersOf(input any) (map[string]any, error) {
	text, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var all map[string]any
	if err := decoder.Decode(&all); err != nil {
		return nil, err
	}
	parameters, _ := withoutEmpty(all).(map[string]any)
	if _, has := parameters["UserData"]; has {
		parameters["UserData"] = cloud.NotShown
	}
	return parameters, nil
}

// withoutEmpty leaves out what is empty; nil where nothing is left.
func withoutEmpty(value any) any {
	switch value := value.(type) {
	case string:
		if value == "" {
			return nil
		}
	case []any:
		if len(value) == 0 {
			return nil
		}
		for i := range value {
			value[i] = withoutEmpty(value[i])
		}
	case map[string]any:
		for key := range value {
			if value[key] = withoutEmpty(value[key]); value[key] == nil {
				delete(value, key)
			}
		}
		if len(value) == 0 {
			return nil
		}
	}
	return value
}

// serverNotes is EC2.
type serverNotes struct{ r *rehearsal }

// DescribeInstances shows those of the servers that the filter names by ID.
func (n serverNotes) DescribeInstances(_ context.Context, in *ec2.DescribeInstancesInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	named := map[string]bool{}
	for _, filter := range in.Filters {
		for _, id := range filter.Values {
			named[id] = true
		}
	}
	var shown []ec2types.Instance
	for _, server := range n.r.servers {
		if named[server.ID] {
			shown = append(shown, ec2types.Instance{
				InstanceId: aws.String(server.ID), Placement: &ec2types.Placement{AvailabilityZone: aws.String(server.Zone)},
				State: &ec2types.InstanceState{Name: ec2types.InstanceStateName(server.State)}, // equal words
			})
		}
	}
	return &ec2.DescribeInstancesOutput{Reservations: []ec2types.Reservation{{Instances: shown}}}, nil
}

// DescribeInstanceStatus shows nobody impaired.
func (n serverNotes) DescribeInstanceStatus(
	context.Context, *ec2.DescribeInstanceStatusInput, ...func(*ec2.Options),
) (*ec2.DescribeInstanceStatusOutput, error) {
	return &ec2.DescribeInstanceStatusOutput{}, nil
}

// RunInstances writes down.
func (n serverNotes) RunInstances(_ context.Context, in *ec2.RunInstancesInput, _ ...func(*ec2.Options)) (*ec2.RunInstancesOutput, error) {
	return &ec2.RunInstancesOutput{}, n.r.note(ec2Name, "RunInstances", in)
}

// TerminateInstances writes down.
func (n serverNotes) TerminateInstances(
	_ context.Context, in *ec2.TerminateInstancesInput, _ ...func(*ec2.Options),
) (*ec2.TerminateInstancesOutput, error) {
	return &ec2.TerminateInstancesOutput{}, n.r.note(ec2Name, "TerminateInstances", in)
}

// CreateTags writes down.
func (n serverNotes) CreateTags(_ context.Context, in *ec2.CreateTagsInput, _ ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error) {
	return &ec2.CreateTagsOutput{}, n.r.note(ec2Name, "CreateTags", in)
}

// classicNotes are the classic load balancers. What it embeds is never called.
type classicNotes struct {
	classicAPI
	r *rehearsal
}

// RegisterInstancesWithLoadBalancer writes down.
func (n classicNotes) RegisterInstancesWithLoadBalancer(
	_ context.Context, in *elb.RegisterInstancesWithLoadBalancerInput, _ ...func(*elb.Options),
) (*elb.RegisterInstancesWithLoadBalancerOutput, error) {
	return &elb.RegisterInstancesWithLoadBalancerOutput{}, n.r.note(classicServiceName, "RegisterInstancesWithLoadBalancer", in)
}

// DeregisterInstancesFromLoadBalancer writes down.
func (n classicNotes) DeregisterInstancesFromLoadBalancer(
	_ context.Context, in *elb.DeregisterInstancesFromLoadBalancerInput, _ ...func(*elb.Options),
) (*elb.DeregisterInstancesFromLoadBalancerOutput, error) {
	return &elb.DeregisterInstancesFromLoadBalancerOutput{}, n.r.note(classicServiceName, "DeregisterInstancesFromLoadBalancer", in)
}

// groupNotes are the target groups. What it embeds is never called.
type groupNotes struct {
	targetsAPI
	r      *rehearsal
	groups *targetGroups
}

// RegisterTargets writes down.
func (n groupNotes) RegisterTargets(_ context.Context, in *elbv2.RegisterTargetsInput, _ ...func(*elbv2.Options)) (*elbv2.RegisterTargetsOutput, error) {
	return &elbv2.RegisterTargetsOutput{}, n.r.note(groupServiceName, "RegisterTargets", in)
}

// DeregisterTargets writes down. Who was registered since the last reading will be seen on the group's own port by then.
func (n groupNotes) DeregisterTargets(
	_ context.Context, in *elbv2.DeregisterTargetsInput, _ ...func(*elbv2.Options),
) (*elbv2.DeregisterTargetsOutput, error) {
	port, known := n.groups.own[aws.ToString(in.TargetGroupArn)]
	for i := range in.Targets {
		if target := &in.Targets[i]; known && target.Port == nil {
			target.Port = aws.Int32(port)
		}
	}
	return &elbv2.DeregisterTargetsOutput{}, n.r.note(groupServiceName, "DeregisterTargets", in)
}

// The services, as the aws command line names them.
const (
	ec2Name            = "ec2"
	classicServiceName = "elb"
	groupServiceName   = "elbv2"
)
