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

// The calls that Slipway makes, with the SDK's own signatures, so that its clients and paginators fit as they are. The
// IAM policy lists the same actions.

// serversAPI reads servers (inventory.go).
type serversAPI interface {
	DescribeInstances(
		context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options),
	) (*ec2.DescribeInstancesOutput, error)
	DescribeInstanceStatus(
		context.Context, *ec2.DescribeInstanceStatusInput, ...func(*ec2.Options),
	) (*ec2.DescribeInstanceStatusOutput, error)
}

// launchAPI changes servers (compute.go).
type launchAPI interface {
	RunInstances(context.Context, *ec2.RunInstancesInput, ...func(*ec2.Options)) (*ec2.RunInstancesOutput, error)
	TerminateInstances(
		context.Context, *ec2.TerminateInstancesInput, ...func(*ec2.Options),
	) (*ec2.TerminateInstancesOutput, error)
	CreateTags(context.Context, *ec2.CreateTagsInput, ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error)
}

// imagesAPI finds machine images (images.go).
type imagesAPI interface {
	DescribeImages(context.Context, *ec2.DescribeImagesInput, ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error)
}

// parameterAPI reads SSM parameters (images.go).
type parameterAPI interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

// classicAPI works on classic load balancers (classic.go).
type classicAPI interface {
	DescribeLoadBalancers(
		context.Context, *elb.DescribeLoadBalancersInput, ...func(*elb.Options),
	) (*elb.DescribeLoadBalancersOutput, error)
	DescribeLoadBalancerAttributes(
		context.Context, *elb.DescribeLoadBalancerAttributesInput, ...func(*elb.Options),
	) (*elb.DescribeLoadBalancerAttributesOutput, error)
	DescribeInstanceHealth(
		context.Context, *elb.DescribeInstanceHealthInput, ...func(*elb.Options),
	) (*elb.DescribeInstanceHealthOutput, error)
	RegisterInstancesWithLoadBalancer(
		context.Context, *elb.RegisterInstancesWithLoadBalancerInput, ...func(*elb.Options),
	) (*elb.RegisterInstancesWithLoadBalancerOutput, error)
	DeregisterInstancesFromLoadBalancer(
		context.Context, *elb.DeregisterInstancesFromLoadBalancerInput, ...func(*elb.Options),
	) (*elb.DeregisterInstancesFromLoadBalancerOutput, error)
}

// targetGroupAPI reads target groups and their load balancers (targetgroup.go).
type targetGroupAPI interface {
	DescribeTargetGroups(
		context.Context, *elbv2.DescribeTargetGroupsInput, ...func(*elbv2.Options),
	) (*elbv2.DescribeTargetGroupsOutput, error)
	DescribeTargetGroupAttributes(
		context.Context, *elbv2.DescribeTargetGroupAttributesInput, ...func(*elbv2.Options),
	) (*elbv2.DescribeTargetGroupAttributesOutput, error)
	DescribeLoadBalancerAttributes(
		context.Context, *elbv2.DescribeLoadBalancerAttributesInput, ...func(*elbv2.Options),
	) (*elbv2.DescribeLoadBalancerAttributesOutput, error)
}

// classicFactsAPI reads what nobody but an examination needs of classic load balancers (examine_pools.go).
type classicFactsAPI interface {
	DescribeTags(context.Context, *elb.DescribeTagsInput, ...func(*elb.Options)) (*elb.DescribeTagsOutput, error)
	DescribeAccountLimits(
		context.Context, *elb.DescribeAccountLimitsInput, ...func(*elb.Options),
	) (*elb.DescribeAccountLimitsOutput, error)
}

// groupFactsAPI reads the same of target groups (examine_pools.go).
type groupFactsAPI interface {
	DescribeTags(context.Context, *elbv2.DescribeTagsInput, ...func(*elbv2.Options)) (*elbv2.DescribeTagsOutput, error)
	DescribeAccountLimits(
		context.Context, *elbv2.DescribeAccountLimitsInput, ...func(*elbv2.Options),
	) (*elbv2.DescribeAccountLimitsOutput, error)
}

// targetsAPI reads and changes the members of target groups (targetgroup.go).
type targetsAPI interface {
	DescribeTargetHealth(
		context.Context, *elbv2.DescribeTargetHealthInput, ...func(*elbv2.Options),
	) (*elbv2.DescribeTargetHealthOutput, error)
	RegisterTargets(
		context.Context, *elbv2.RegisterTargetsInput, ...func(*elbv2.Options),
	) (*elbv2.RegisterTargetsOutput, error)
	DeregisterTargets(
		context.Context, *elbv2.DeregisterTargetsInput, ...func(*elbv2.Options),
	) (*elbv2.DeregisterTargetsOutput, error)
}

// identityAPI tells who we are (identity.go). Roles are assumed through the SDK's own provider (credentials.go).
type identityAPI interface {
	GetCallerIdentity(
		context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options),
	) (*sts.GetCallerIdentityOutput, error)
}

// queueAPI receives what EC2 tells of servers (events.go).
type queueAPI interface {
	GetQueueUrl(context.Context, *sqs.GetQueueUrlInput, ...func(*sqs.Options)) (*sqs.GetQueueUrlOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
}
