package awscloud

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// limit is one token bucket of AWS's. Operations with equal names share a bucket.
type limit struct {
	name          string
	burst, refill float64 // tokens, tokens per second
	servers       int     // tokens to take; zero: one
}

func (l limit) cost() float64 { return float64(max(1, l.servers)) }

// serviceLimits says which buckets an operation of one service takes from.
type serviceLimits struct {
	// account is one more bucket, for all operations together; zero: there is none.
	account limit
	// operations name those with a bucket of another size than the rest, or with a shared one.
	operations map[string]limit
	// rest is the size for every other operation, each with its own bucket, unless it has a name.
	rest limit
	// servers are further buckets, counted in servers instead of calls.
	servers map[string]limit
}

// documented are the limits per account and region, capacity and refill per second.
//
// EC2 has one bucket per API: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
// Both generations of load balancing have buckets per category and one over all:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
// SSM documents 40 calls a second for all Get operations; STS publishes none, this is a quiet guess. Queues of SQS have no limit worth
// counting: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
var documented = map[string]serviceLimits{
	ec2.ServiceID: {
		operations: map[string]limit{
			"RunInstances":       {burst: 5, refill: 2},
			"TerminateInstances": {burst: 100, refill: 5},
			"CreateTags":         {burst: 100, refill: 10},
		},
		rest: limit{burst: 100, refill: 20},
		servers: map[string]limit{
			"RunInstances":       {name: "servers launched", burst: 1000, refill: 2},
			"TerminateInstances": {name: "servers terminated", burst: 1000, refill: 20},
		},
	},
	elb.ServiceID: {
		account: limit{name: "account", burst: 40, refill: 10},
		operations: map[string]limit{
			"RegisterInstancesWithLoadBalancer":   registration,
			"DeregisterInstancesFromLoadBalancer": registration,
		},
		rest: limit{name: "describe", burst: 40, refill: 10},
	},
	elbv2.ServiceID: {
		account:    limit{name: "account", burst: 40, refill: 10},
		operations: map[string]limit{"RegisterTargets": registration, "DeregisterTargets": registration},
		rest:       limit{name: "describe", burst: 40, refill: 10},
	},
	sqs.ServiceID: {rest: limit{name: "any", burst: 100, refill: 100}},
	ssm.ServiceID: {rest: limit{name: "get", burst: 40, refill: 40}},
	sts.ServiceID: {rest: limit{name: "any", burst: 20, refill: 20}},
}

var registration = limit{name: "registration", burst: 20, refill: 4}

// of lists the buckets of an operation, its own first.
func (s serviceLimits) of(ctx context.Context, operation string) []limit {
	own, listed := s.operations[operation]
	if !listed {
		own = s.rest
	}
	if own.name == "" {
		own.name = operation
	}
	limits := []limit{own}
	if s.account.name != "" {
		limits = append(limits, s.account)
	}
	if perServer, ok := s.servers[operation]; ok {
		perServer.servers, _ = ctx.Value(serversKey{}).(int)
		limits = append(limits, perServer)
	}
	return limits
}

type serversKey struct{}

// withServers says how many servers a call launches or ends, for the buckets that count them.
func withServers(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, serversKey{}, n)
}
