package awscloud

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/rollout"
)

// Descriptions of DescribeInstanceHealth that decide a member's state. They are a closed list, and a description "can
// contain one or more of" them:
// https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
const (
	inService           = "InService"
	unknownState        = "Unknown" // "A transient error occurred. Please try again later.": the one description that goes with it
	nothingToSay        = "N/A"
	saysRegistering     = "Instance registration is still in progress"
	saysPending         = "Instance is in pending state"
	saysDeregistering   = "Instance deregistration currently in progress"
	saysNotRegistered   = "Instance is not currently registered with the LoadBalancer"
	saysItLeft          = "in service, but not registered any more"
	saysNothingOfHealth = "registered, but the load balancer says nothing of its health"
)

// askedAgain is how often a reading asks again for servers of which AWS could not tell.
const askedAgain = 3

// classic works on classic load balancers.
type classic struct {
	api      classicAPI
	known    acquaintances
	together *gathering // nil: every look asks for itself
}

func newClassic(api classicAPI, clock Clock) *classic {
	c := &classic{api: api, known: acquaintances{clock: clock}}
	c.together = &gathering{clock: clock, read: c.callAll}
	return c
}

func classicName(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

func classicThing(id string) string { return "classic load balancer " + classicName(id) }

// unasked is what its ID alone tells of a classic load balancer.
func unasked(id string) rollout.Pool {
	return rollout.Pool{ID: id, Name: classicName(id), Kind: rollout.KindClassic, ZonalOnly: true}
}

// resolve asks for the attributes: they tell that the load balancer exists and whether it balances across zones. Its ID and
// kind need no answer.
func (c *classic) resolve(ctx context.Context, id string) (rollout.Pool, error) {
	pool := unasked(id)
	answer, err := c.api.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{
		LoadBalancerName: aws.String(classicName(id)),
	})
	if err != nil {
		return pool, explain(err, classicThing(id), poolMeanings)
	}
	if attributes := answer.LoadBalancerAttributes; attributes != nil && attributes.CrossZoneLoadBalancing != nil {
		pool.ZonalOnly = !attributes.CrossZoneLoadBalancing.Enabled
	}
	return pool, nil
}

// read puts three answers together, the first two asked for at once: who is registered, how they are, and of those that
// are asked for but in neither answer, who is draining: AWS promises to show a server that is not registered any more only
// to whoever asks for it by name.
// https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeInstanceHealth.html
func (c *classic) read(ctx context.Context, rolls *rolls, pool rollout.Pool, asked []string) (rollout.Pool, error) {
	var registered map[string]bool
	var states []types.InstanceState
	both, groupCtx := errgroup.WithContext(ctx)
	both.Go(func() error {
		return contained("reading the members of "+pool.ID, func() (err error) {
			registered, err = rolls.of(groupCtx, pool.ID)
			return err
		})
	})
	both.Go(func() error {
		return contained("reading the health of "+pool.ID, func() (err error) {
			states, err = c.health(groupCtx, pool.ID, nil)
			return err
		})
	})
	if err := both.Wait(); err != nil {
		return pool, err
	}
	c.known.meet(pool.ID, slices.Collect(maps.Keys(registered))...)
	shown := maps.Clone(registered)
	for _, state := range states {
		shown[aws.ToString(state.InstanceId)] = true
	}
	hidden := slices.DeleteFunc(slices.Clone(asked), func(server string) bool { return shown[server] })
	if len(hidden) > 0 {
		left, unasked, err := c.leaving(ctx, pool.ID, hidden)
		if err != nil {
			return pool, err
		}
		states, pool.Unasked = append(states, left...), unasked
	}
	pool.Kind = rollout.KindClassic
	pool.Members = classicMembers(registered, c.askAgain(ctx, pool.ID, states))
	return pool, nil
}

// health asks for the named servers, or for all that are registered.
func (c *classic) health(ctx context.Context, id string, servers []string) ([]types.InstanceState, error) {
	answer, err := c.api.DescribeInstanceHealth(ctx, &elb.DescribeInstanceHealthInput{
		LoadBalancerName: aws.String(classicName(id)), Instances: instances(servers),
	})
	if err != nil {
		return nil, explain(err, classicThing(id), poolMeanings)
	}
	return answer.InstanceStates, nil
}

// askAgain asks again for the servers of which AWS could not tell, as its answer advises. If it never can, it is shown so.
func (c *classic) askAgain(ctx context.Context, id string, states []types.InstanceState) []types.InstanceState {
	for range askedAgain {
		var unsure []string
		for _, state := range states {
			if aws.ToString(state.State) == unknownState {
				unsure = append(unsure, aws.ToString(state.InstanceId))
			}
		}
		if len(unsure) == 0 {
			break
		}
		answers, err := c.health(ctx, id, unsure)
		if err != nil {
			break
		}
		said := map[string]types.InstanceState{}
		for _, answer := range answers {
			said[aws.ToString(answer.InstanceId)] = answer
		}
		for i, state := range states {
			if answer, again := said[aws.ToString(state.InstanceId)]; again {
				states[i] = answer
			}
		}
	}
	return states
}

// classicMembers joins who is registered with how they are. One that is in service, or may be, and not registered left a moment
// ago: of two readings that contradict each other the one counts that takes nobody for healthy.
func classicMembers(registered map[string]bool, states []types.InstanceState) []rollout.Member {
	members := map[string]rollout.Member{}
	for server := range registered {
		members[server] = rollout.Member{Server: server, State: rollout.MemberUnhealthy, Reason: saysNothingOfHealth}
	}
	for _, state := range states {
		member, ok := classicMember(state)
		maybe := member.State == rollout.MemberHealthy || member.State == rollout.MemberUnknown
		if maybe && !registered[member.Server] {
			member.State, member.Reason = rollout.MemberDraining, saysItLeft
		}
		if ok {
			members[member.Server] = member
		}
	}
	return slices.SortedFunc(maps.Values(members), byServer)
}

func byServer(a, b rollout.Member) int { return cmp.Compare(a.Server, b.Server) }

// classicMember is the state of one server, false if it is no member. In service alone is not healthy: a draining
// server is in service too.
func classicMember(state types.InstanceState) (rollout.Member, bool) {
	says := aws.ToString(state.Description)
	member := rollout.Member{Server: aws.ToString(state.InstanceId), Reason: strings.TrimRight(says, ".")}
	switch {
	case strings.Contains(says, saysNotRegistered):
		return rollout.Member{}, false
	case strings.Contains(says, saysDeregistering):
		member.State = rollout.MemberDraining
	case aws.ToString(state.State) == inService && says == nothingToSay:
		member.State, member.Reason = rollout.MemberHealthy, ""
	case aws.ToString(state.State) == unknownState:
		member.State = rollout.MemberUnknown
	case strings.Contains(says, saysRegistering), strings.Contains(says, saysPending):
		member.State = rollout.MemberRegistering
	default:
		member.State = rollout.MemberUnhealthy
		member.Reason = aws.ToString(state.State) + ": " + member.Reason
	}
	return member, true
}

func (c *classic) register(ctx context.Context, id string, servers []string) error {
	c.known.meet(id, servers...)
	defer c.known.meet(id, servers...) // a reading may have been told meanwhile that they are gone
	return inParts(servers, putInOf(ctx), func(some []string) error {
		_, err := c.api.RegisterInstancesWithLoadBalancer(ctx, &elb.RegisterInstancesWithLoadBalancerInput{
			LoadBalancerName: aws.String(classicName(id)), Instances: instances(some),
		})
		return explain(err, listed(some)+" in "+classicThing(id), poolMeanings)
	})
}

// deregister trusts its caller first: who is taken out was just read as a member, and a look at the members would only
// delay it. If a server is refused that was never registered, with all others in the call, the members are read and the
// rest is taken out.
func (c *classic) deregister(ctx context.Context, id string, servers []string) error {
	err := c.deregisterAll(ctx, id, servers)
	if !unfit.has(codeOf(err)) {
		return err
	}
	registered, err := c.registered(ctx, id)
	if err != nil {
		return err
	}
	members := slices.DeleteFunc(slices.Clone(servers), func(server string) bool { return !registered[server] })
	if len(members) == 0 {
		return nil
	}
	return inParts(members, takeOut, func(some []string) error {
		err := c.deregisterAll(ctx, id, some)
		if len(some) == 1 && unfit.has(codeOf(err)) {
			return nil // it left in the meantime
		}
		return err
	})
}

func (c *classic) deregisterAll(ctx context.Context, id string, servers []string) error {
	_, err := c.api.DeregisterInstancesFromLoadBalancer(ctx, &elb.DeregisterInstancesFromLoadBalancerInput{
		LoadBalancerName: aws.String(classicName(id)), Instances: instances(servers),
	})
	return explain(err, listed(servers)+" in "+classicThing(id), poolMeanings)
}

// instances is nil for nobody: an empty list is not left out of the request.
func instances(servers []string) []types.Instance {
	if len(servers) == 0 {
		return nil
	}
	list := make([]types.Instance, 0, len(servers))
	for _, server := range servers {
		list = append(list, types.Instance{InstanceId: aws.String(server)})
	}
	return list
}
