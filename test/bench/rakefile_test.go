//go:build bench

package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/test/e2e"
)

// rakefile is what Slipway descends from, call for call: pool after pool, and with a look at the health of whole pools.
//
//	register with pool 1, 2, …   then, for pool 1, 2, …:  up to 4 × { wait 5 s, is all of the pool healthy? }
//	then deregister from pool 1, 2, …   then leave the test pool, or come back to it
//
// It knew classic load balancers alone; for target groups the same calls have other names.
type rakefile struct {
	aws        e2e.Person
	production []balancer
	test       balancer
}

// tries and pause are how often it looks at a pool, and how long it waits before each look.
const (
	tries = 4
	pause = 5 * time.Second
)

// errGaveUp is how it ends where a pool was not healthy at the last look: with both fleets in production, for a person to mend.
var errGaveUp = errors.New("it gave up, with both fleets in production")

// deploy lets incoming serve in the place of outgoing. Those who leave production go to the test pool, where a look at them is wanted.
func (r rakefile) deploy(ctx context.Context, incoming, outgoing []string, look bool) error {
	for _, pool := range r.production {
		if err := pool.register(ctx, r.aws, incoming); err != nil {
			return fmt.Errorf("register with %s: %w", pool.name, err)
		}
	}
	for _, pool := range r.production {
		if err := r.verify(ctx, pool); err != nil {
			return err
		}
	}
	for _, pool := range r.production {
		if err := pool.deregister(ctx, r.aws, outgoing); err != nil {
			return fmt.Errorf("deregister from %s: %w", pool.name, err)
		}
	}
	if look {
		return r.test.register(ctx, r.aws, outgoing)
	}
	return r.test.deregister(ctx, r.aws, incoming)
}

func (r rakefile) verify(ctx context.Context, pool balancer) error {
	for range tries {
		<-time.After(pause)
		if well, err := pool.healthy(ctx, r.aws); err != nil {
			return fmt.Errorf("health of %s: %w", pool.name, err)
		} else if well {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", pool.name, errGaveUp)
}

// balancer is a pool: a target group where it has an ARN, or else a classic load balancer.
type balancer struct{ name, arn string }

func (b balancer) register(ctx context.Context, p e2e.Person, ids []string) (err error) {
	if b.arn == "" {
		_, err = p.ELB.RegisterInstancesWithLoadBalancer(ctx, &elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &b.name, Instances: instancesOf(ids)})
		return err
	}
	_, err = p.ELBv2.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &b.arn, Targets: targetsOf(ids)})
	return err
}

func (b balancer) deregister(ctx context.Context, p e2e.Person, ids []string) (err error) {
	if b.arn == "" {
		_, err = p.ELB.DeregisterInstancesFromLoadBalancer(ctx, &elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: &b.name, Instances: instancesOf(ids)})
		return err
	}
	_, err = p.ELBv2.DeregisterTargets(ctx, &elbv2.DeregisterTargetsInput{TargetGroupArn: &b.arn, Targets: targetsOf(ids)})
	return err
}

// healthy reports whether every member is.
func (b balancer) healthy(ctx context.Context, p e2e.Person) (bool, error) {
	if b.arn == "" {
		out, err := p.ELB.DescribeInstanceHealth(ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: &b.name})
		if err != nil {
			return false, err
		}
		for _, m := range out.InstanceStates {
			if aws.ToString(m.State) != "InService" {
				return false, nil
			}
		}
		return true, nil
	}
	out, err := p.ELBv2.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &b.arn})
	if err != nil {
		return false, err
	}
	for _, m := range out.TargetHealthDescriptions {
		if m.TargetHealth.State != elbv2types.TargetHealthStateEnumHealthy {
			return false, nil
		}
	}
	return true, nil
}

func instancesOf(ids []string) (all []elbtypes.Instance) {
	for i := range ids {
		all = append(all, elbtypes.Instance{InstanceId: &ids[i]})
	}
	return all
}

func targetsOf(ids []string) (all []elbv2types.TargetDescription) {
	for i := range ids {
		all = append(all, elbv2types.TargetDescription{Id: &ids[i]})
	}
	return all
}
