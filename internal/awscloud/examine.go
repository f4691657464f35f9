package awscloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"slipway.dev/slipway/internal/cloud"
)

// dryRunDone is EC2's answer to a call with DryRun that it would have carried out.
const dryRunDone = "DryRunOperation"

// examine makes an examination: clients, caches and role credentials of its own, under the account's rate limits. No watcher is told of
// its calls: it tries what no deploy may need, and a refusal is told to the person who asked. In metrics it would wake somebody else.
func (o *Opener) examine(class cloud.Class, turns gates) cloud.Examination {
	cfg := o.config(class, turns)
	cfg.APIOptions = append(cfg.APIOptions, tryOnly)
	who := processItself
	if class.RoleARN != "" {
		who = "role " + class.RoleARN
		cfg.Credentials = o.assume(class, cfg)
	}
	servers, groups, classics := ec2.NewFromConfig(cfg), elbv2.NewFromConfig(cfg), elb.NewFromConfig(cfg)
	me := &identity{sts: sts.NewFromConfig(cfg), credentials: cfg.Credentials, who: who, expected: class.AccountID}
	me.answers = shared[string]{clock: o.options.Clock, limit: callTimeout, read: me.ask}
	return cloud.Examination{
		Permissions: &trials{reads: servers, images: servers, changes: servers, queues: sqs.NewFromConfig(cfg), compute: &compute{cluster: class.Cluster}},
		Images:      &images{ec2: servers, ssm: ssm.NewFromConfig(cfg)},
		Facts: &facts{
			me: me, classics: classics, groups: groups,
			pools: newBalancer(class.Region, o.options.Clock, me,
				&classic{api: classics, known: acquaintances{clock: o.options.Clock}}, newTargetGroups(groups)),
		},
	}
}

// tryOnly lets nothing through that changes something and is not marked as a trial, and notes what came of every call. It looks at the
// input as the SDK is about to write it.
func tryOnly(stack *middleware.Stack) error {
	handle := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		middleware.InitializeOutput, middleware.Metadata, error,
	) {
		service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
		if !reads(operation) && !isTrial(in.Parameters) {
			return middleware.InitializeOutput{}, middleware.Metadata{}, fmt.Errorf("%s: not sent: an examination changes nothing", operation)
		}
		out, metadata, err := next.HandleInitialize(ctx, in)
		if kept, ok := ctx.Value(notesKey{}).(*notes); ok && service != stsService {
			kept.add(policyPrefix[service]+":"+operation, err)
		}
		return out, metadata, err
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("slipway.TryOnly", handle), middleware.After)
}

// isTrial: the input says DryRun. Only EC2 has such a thing.
func isTrial(input any) bool {
	switch in := input.(type) {
	case *ec2.RunInstancesInput:
		return aws.ToBool(in.DryRun)
	case *ec2.CreateTagsInput:
		return aws.ToBool(in.DryRun)
	case *ec2.TerminateInstancesInput:
		return aws.ToBool(in.DryRun)
	default:
		return false
	}
}

// policyPrefix is what a service is called in IAM policies.
var policyPrefix = map[string]string{
	ec2.ServiceID: "ec2", elb.ServiceID: "elasticloadbalancing", elbv2.ServiceID: "elasticloadbalancing",
}

type notesKey struct{}

// notes are what came of calls, by action.
type notes struct {
	mu     sync.Mutex
	trials []cloud.Trial
}

// add notes a call. Of several for one action the first that failed counts; one that was given up because another had failed says nothing.
func (n *notes) add(action string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	at := slices.IndexFunc(n.trials, func(t cloud.Trial) bool { return t.Action == action })
	if at < 0 {
		n.trials = append(n.trials, cloud.Trial{Action: action, Err: err})
	} else if n.trials[at].Err == nil {
		n.trials[at].Err = err
	}
}

// about are the notes in our words.
func (n *notes) about(thing string, known meanings) []cloud.Trial {
	n.mu.Lock()
	defer n.mu.Unlock()
	trials := slices.Clone(n.trials)
	for i := range trials {
		trials[i].Err = explain(trials[i].Err, thing, known)
	}
	return trials
}

// trials implements cloud.Permissions.
type trials struct {
	reads   serversAPI
	images  imagesAPI
	changes launchAPI
	queues  queueAPI
	compute *compute // for how a launch is written; it makes no call
}

var errNotHeeded = errors.New("AWS did not heed DryRun")

// tried is what a trial's error says: nil where the call would have been carried out.
func tried(err error) error {
	switch {
	case err == nil:
		return errNotHeeded
	case codeOf(err) == dryRunDone:
		return nil
	}
	return err
}

// Read implements cloud.Permissions.
func (t *trials) Read(ctx context.Context) []cloud.Trial {
	_, instances := t.reads.DescribeInstances(ctx, &ec2.DescribeInstancesInput{DryRun: aws.Bool(true), MaxResults: aws.Int32(pageSize)})
	_, states := t.reads.DescribeInstanceStatus(ctx, &ec2.DescribeInstanceStatusInput{DryRun: aws.Bool(true), MaxResults: aws.Int32(pageSize)})
	_, images := t.images.DescribeImages(ctx, &ec2.DescribeImagesInput{DryRun: aws.Bool(true), Owners: []string{"self"}})
	return []cloud.Trial{
		{Action: "ec2:DescribeInstances", Err: explain(tried(instances), "servers", nil)},
		{Action: "ec2:DescribeInstanceStatus", Err: explain(tried(states), "the state of servers", nil)},
		{Action: "ec2:DescribeImages", Err: explain(tried(images), "images", imageMeanings)},
	}
}

// Queue implements cloud.Permissions. Nothing is received: SQS has no DryRun, and what is received is hidden from the manager for a while.
func (t *trials) Queue(ctx context.Context, account, name string) cloud.Trial {
	_, err := t.queues.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(name), QueueOwnerAWSAccountId: aws.String(account)})
	return cloud.Trial{Action: "sqs:GetQueueUrl", Err: explain(err, "the events queue "+name, queueMeanings)}
}

// Launch implements cloud.Permissions. The token is the SDK's own: no launch that is meant ever has it.
func (t *trials) Launch(ctx context.Context, request cloud.LaunchRequest) cloud.Trial {
	request.Count = 1
	input := t.compute.runInput(request)
	input.DryRun, input.ClientToken = aws.Bool(true), nil
	_, err := t.changes.RunInstances(ctx, input)
	if err = tried(err); err != nil {
		err = explainLaunch(err, request)
	}
	return cloud.Trial{Action: "ec2:RunInstances", Err: err}
}

// Tag implements cloud.Permissions.
func (t *trials) Tag(ctx context.Context, servers []string, tags map[string]string) cloud.Trial {
	_, err := t.changes.CreateTags(ctx, &ec2.CreateTagsInput{DryRun: aws.Bool(true), Resources: servers, Tags: tagList(tags)})
	return cloud.Trial{Action: "ec2:CreateTags", Err: explain(tried(err), listed(servers), serverMeanings)}
}

// Terminate implements cloud.Permissions.
func (t *trials) Terminate(ctx context.Context, servers []string) cloud.Trial {
	_, err := t.changes.TerminateInstances(ctx, &ec2.TerminateInstancesInput{DryRun: aws.Bool(true), InstanceIds: servers})
	return cloud.Trial{Action: "ec2:TerminateInstances", Err: explain(tried(err), listed(servers), serverMeanings)}
}
