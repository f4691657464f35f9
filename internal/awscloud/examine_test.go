package awscloud

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// wire counts what reaches it.
type wire struct{ sent int }

var errWire = errors.New("it was sent")

func (w *wire) RoundTrip(*http.Request) (*http.Response, error) {
	w.sent++
	return nil, errWire
}

// The clients of an examination send no change that is not marked as a trial, whoever asks them to.
func TestAnExaminationSendsNoChange(t *testing.T) {
	line := &wire{}
	opener := NewOpener(Options{Config: aws.Config{
		HTTPClient: &http.Client{Transport: line}, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
	}, MaxBackoff: 1})
	class := cloud.Class{Region: "us-east-1", AccountID: "123456789012", Cluster: "c-1"}
	exam := opener.examine(class, newGates(wallClock{}, 1000))
	servers := exam.Permissions.(*trials).changes.(*ec2.Client)
	pools := exam.Facts.(*facts)
	classics, groups := pools.classics.(*elb.Client), pools.groups.(*elbv2.Client)
	id, one, dry, no := []string{"i-1"}, aws.Int32(1), aws.Bool(true), aws.Bool(false)
	for name, row := range map[string]struct {
		call func(context.Context) error
		sent bool
	}{
		"launch": {call: func(ctx context.Context) error {
			_, err := servers.RunInstances(ctx, &ec2.RunInstancesInput{MinCount: one, MaxCount: one})
			return err
		}},
		"launch, said to be meant": {call: func(ctx context.Context) error {
			_, err := servers.RunInstances(ctx, &ec2.RunInstancesInput{MinCount: one, MaxCount: one, DryRun: no})
			return err
		}},
		"tag": {call: func(ctx context.Context) error {
			_, err := servers.CreateTags(ctx, &ec2.CreateTagsInput{Resources: id, Tags: tagList(map[string]string{"a": "b"})})
			return err
		}},
		"terminate": {call: func(ctx context.Context) error {
			_, err := servers.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: id})
			return err
		}},
		"stop, of which nobody thought, as a trial": {call: func(ctx context.Context) error {
			_, err := servers.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: id, DryRun: dry})
			return err
		}},
		"register": {call: func(ctx context.Context) error {
			_, err := groups.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{
				TargetGroupArn: aws.String("arn"), Targets: []types.TargetDescription{{Id: aws.String("i-1")}},
			})
			return err
		}},
		"deregister": {call: func(ctx context.Context) error {
			_, err := classics.DeregisterInstancesFromLoadBalancer(ctx, &elb.DeregisterInstancesFromLoadBalancerInput{
				LoadBalancerName: aws.String("web"), Instances: instances(id),
			})
			return err
		}},
		"a trial of a launch": {sent: true, call: func(ctx context.Context) error {
			return exam.Permissions.Launch(ctx, cloud.LaunchRequest{Token: "t", Image: "ami-1"}).Err
		}},
		"a trial of a tag":         {sent: true, call: func(ctx context.Context) error { return exam.Permissions.Tag(ctx, id, nil).Err }},
		"a trial of a termination": {sent: true, call: func(ctx context.Context) error { return exam.Permissions.Terminate(ctx, id).Err }},
		"a reading": {sent: true, call: func(ctx context.Context) error {
			_, err := classics.DescribeTags(ctx, &elb.DescribeTagsInput{LoadBalancerNames: []string{"web"}})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			line.sent = 0
			err := row.call(t.Context())
			if err == nil || row.sent != (line.sent > 0) {
				t.Errorf("sent %d times: %v", line.sent, err)
			}
			if !row.sent && !strings.Contains(err.Error(), "an examination changes nothing") {
				t.Errorf("it is kept back for another reason: %v", err)
			}
		})
	}
}

// A trial that AWS carried out, or that says nothing, is no permission.
func TestTriedIsOnlyWhatAWSSaysSo(t *testing.T) {
	if err := tried(nil); !errors.Is(err, errNotHeeded) {
		t.Errorf("AWS carried it out, and it says %v", err)
	}
	if err := tried(errWire); !errors.Is(err, errWire) {
		t.Errorf("AWS did not answer, and it says %v", err)
	}
}

// No metric counts what an examination tries, for an alert would take a refusal for one of a deploy's call. Those of a deploy are counted.
func TestNobodyWatchesAnExamination(t *testing.T) {
	line := &wire{}
	var seen []cloud.Attempt
	opener := NewOpener(Options{Config: aws.Config{
		HTTPClient: &http.Client{Transport: line}, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
	}, MaxBackoff: 1, Share: 1000, Watcher: func(ctx context.Context, attempt cloud.Attempt) (context.Context, func(cloud.Answer)) {
		seen = append(seen, attempt)
		return ctx, func(cloud.Answer) {}
	}})
	account, err := opener.Open(cloud.Class{Region: "us-east-1", AccountID: "123456789012", Cluster: "c-1", RoleARN: "arn:aws:iam::123456789012:role/deploys"})
	if err != nil {
		t.Fatal(err)
	}
	exam := account.Examine()
	exam.Permissions.Read(t.Context())
	exam.Facts.Limits(t.Context(), rollout.KindALB)
	if _, err := exam.Facts.Caller(t.Context()); err == nil || line.sent == 0 || len(seen) > 0 {
		t.Errorf("%d attempts were sent (%v), and these were seen: %v", line.sent, err, seen)
	}
	if _, err := account.Compute.Servers(t.Context(), cloud.Query{Cluster: "c-1"}); err == nil || len(seen) == 0 {
		t.Errorf("nobody saw the call of a deploy: %v", err)
	}
}
