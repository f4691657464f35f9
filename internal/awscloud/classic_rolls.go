package awscloud

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"

	"slipway.dev/slipway/internal/cloud"
)

// roll are the servers that are registered with one classic load balancer.
type roll map[string]bool

// rolls are those of the load balancers of one look. One call answers for all of them, and it counts: a Release with five classic pools
// that asked for each, in every look of a switch, would spend most of what AWS allows the account on nothing else.
//
//	5 pools, a look a second     DescribeLoadBalancers + DescribeInstanceHealth = calls a second
//	each for itself                        5           +           5           =      10
//	together                               1           +           5           =       6       of 7 that we allow ourselves
type rolls struct {
	classic *classic
	done    chan struct{}   // closed when all and err are set; nil: each is asked for alone
	all     map[string]roll // by rollKey
	err     error
}

// rollKey is a load balancer's name, of which AWS may answer with other capitals than it was asked with.
func rollKey(id string) string { return strings.ToLower(classicName(id)) }

// rolls begins to call those of several load balancers, for as long as ctx lasts. One alone is called when it is read.
func (c *classic) rolls(ctx context.Context, ids []string) *rolls {
	r := &rolls{classic: c}
	if len(ids) < 2 {
		return r
	}
	r.done = make(chan struct{})
	go func() {
		defer close(r.done)
		r.err = contained("reading the members of the classic load balancers", func() (err error) {
			r.all, err = c.call(ctx, ids)
			return err
		})
	}()
	return r
}

// of is the roll of one load balancer.
func (r *rolls) of(ctx context.Context, id string) (roll, error) {
	if r.done == nil {
		return r.classic.registered(ctx, id)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := explain(r.err, classicThing(id), poolMeanings); err != nil && !ofOne(err) {
		return nil, err
	}
	if called, has := r.all[rollKey(id)]; has {
		return called, nil
	}
	return r.classic.registered(ctx, id)
}

// ofOne: the call was refused for one of the load balancers, with all others in it. Each finds out for itself whether it is the one.
func ofOne(err error) bool {
	return slices.Contains([]cloud.Kind{cloud.NotFound, cloud.Invalid}, cloud.KindOf(err))
}

// registered is the roll of one load balancer alone.
func (c *classic) registered(ctx context.Context, id string) (roll, error) {
	all, err := c.call(ctx, []string{id})
	if err != nil {
		return nil, explain(err, classicThing(id), poolMeanings)
	}
	called, has := all[rollKey(id)]
	if !has {
		return nil, errors.New(classicThing(id) + ": AWS described none, and did not say that there is none")
	}
	return called, nil
}

// call reads the rolls of load balancers, together with those that other Releases ask for. It fails for all where one does not exist.
func (c *classic) call(ctx context.Context, ids []string) (map[string]roll, error) {
	if c.together == nil {
		return c.callAll(ctx, ids)
	}
	return c.together.call(ctx, ids)
}

// callAll makes the call.
func (c *classic) callAll(ctx context.Context, ids []string) (map[string]roll, error) {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, classicName(id))
	}
	answer, err := c.api.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerNames: names})
	if err != nil {
		return nil, err
	}
	all := map[string]roll{}
	for _, described := range answer.LoadBalancerDescriptions {
		registered := roll{}
		for _, instance := range described.Instances {
			registered[aws.ToString(instance.InstanceId)] = true
		}
		all[strings.ToLower(aws.ToString(described.LoadBalancerName))] = registered
	}
	return all, nil
}
