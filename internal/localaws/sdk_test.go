package localaws

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// testStart is the time at which virtual worlds begin.
var testStart = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// sim is a furnished cloud on a virtual clock, and unmodified SDK clients that reach it without a socket.
type sim struct {
	*Cloud
	t     testing.TB
	ctx   context.Context
	clock *VirtualClock
	site  Site
	ec2   *ec2.Client
	ssm   *ssm.Client
	sts   *sts.Client
	seen  *atomic.Uint64 // the last entry of the ledger when the test saw the world itself; see wantSecondReads
}

// newSim makes one with AWS's own delays and without its limits of calls, changed by tune. SDK clients do not retry.
func newSim(t testing.TB, tune ...func(*Knobs)) *sim {
	t.Helper()
	clock := NewVirtualClock(testStart)
	s := newSimOn(t, clock, tune...)
	s.clock = clock
	return s
}

// newSimOn is newSim on a clock that runs by itself.
func newSimOn(t testing.TB, clock Clock, tune ...func(*Knobs)) *sim {
	t.Helper()
	knobs := DefaultKnobs()
	knobs.Throttle = false // tests of one thing call as often as they like
	for _, f := range tune {
		f(&knobs)
	}
	s := &sim{t: t, ctx: t.Context(), Cloud: New(Options{Clock: clock, Knobs: knobs, Seed: 1}), seen: new(atomic.Uint64)}
	s.site = s.DefaultWorld()
	t.Cleanup(s.Close)
	if _, test := t.(*testing.T); test {
		t.Cleanup(s.wantSecondReads)
	}
	s.use(s.config("AKIDTEST", "us-east-1"))
	return s
}

// config is what an SDK client needs to reach the cloud with an access key.
func (s *sim) config(key, region string) aws.Config {
	return aws.Config{
		Region:       region,
		Credentials:  credentials.NewStaticCredentialsProvider(key, "secret", ""),
		HTTPClient:   &http.Client{Transport: s.Transport()},
		BaseEndpoint: aws.String("http://localaws"),
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func (s *sim) use(cfg aws.Config) {
	s.ec2, s.ssm, s.sts = ec2.NewFromConfig(cfg), ssm.NewFromConfig(cfg), sts.NewFromConfig(cfg)
}

// input is a launch that works: n servers in the first subnet.
func (s *sim) input(n int32, change ...func(*ec2.RunInstancesInput)) *ec2.RunInstancesInput {
	in := &ec2.RunInstancesInput{ImageId: &s.site.V1, InstanceType: "t3.micro", MinCount: aws.Int32(n), MaxCount: aws.Int32(n),
		SubnetId: &s.site.Subnets[0]}
	for _, f := range change {
		f(in)
	}
	return in
}

// launch launches n servers and returns their ids.
func (s *sim) launch(n int32, change ...func(*ec2.RunInstancesInput)) []string {
	s.t.Helper()
	out, err := s.ec2.RunInstances(s.ctx, s.input(n, change...))
	if err != nil {
		s.t.Fatalf("launch %d servers: %v", n, err)
	}
	ids := make([]string, len(out.Instances))
	for i, in := range out.Instances {
		ids[i] = *in.InstanceId
	}
	return ids
}

// describe reads instances by id.
func (s *sim) describe(ids ...string) ([]types.Instance, error) {
	return instancesOf(s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{InstanceIds: ids}))
}

// find reads instances by one filter.
func (s *sim) find(filter string, values ...string) []types.Instance {
	s.t.Helper()
	list, err := instancesOf(s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: &filter, Values: values}}}))
	if err != nil {
		s.t.Fatalf("find %s=%v: %v", filter, values, err)
	}
	return list
}

func instancesOf(out *ec2.DescribeInstancesOutput, err error) ([]types.Instance, error) {
	if err != nil {
		return nil, err
	}
	var list []types.Instance
	for _, r := range out.Reservations {
		list = append(list, r.Instances...)
	}
	return list, nil
}

// state is the true state of an instance.
func (s *sim) state(id string) string {
	s.t.Helper()
	in, ok := s.Instance(id)
	if !ok {
		s.t.Fatalf("there is no instance %s", id)
	}
	return in.State
}

func userData(text string) *string {
	return aws.String(base64.StdEncoding.EncodeToString([]byte(text)))
}

// wantError fails unless err is AWS's error with that status, code and, if given, message.
func wantError(t testing.TB, err error, status int, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got error %v, want %s", err, code)
	}
	if api.ErrorCode() != code || message != "" && api.ErrorMessage() != message {
		t.Errorf("got %s: %s\nwant %s: %s", api.ErrorCode(), api.ErrorMessage(), code, message)
	}
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() != status {
		t.Errorf("%s came with %v, want HTTP %d", code, err, status)
	}
}
