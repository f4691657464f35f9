package localaws

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

func throttled(k *Knobs) { k.Throttle = true }

// until counts the calls that pass before the first that is throttled.
func until(t *testing.T, call func() error, status int, code, message string) int {
	t.Helper()
	for n := range 2000 {
		if err := call(); err != nil {
			wantError(t, err, status, code, message)
			return n
		}
	}
	t.Fatal("nothing is throttled")
	return 0
}

// Capacity and refill of the buckets, for each account, region and API (EC2 developer guide, request throttling).
func TestEC2Buckets(t *testing.T) {
	const s = time.Second
	tests := map[string]struct {
		call            func(*sim) error
		capacity, after int // calls at once, and a second after that
	}{
		"RunInstances": {func(s *sim) error { _, err := s.ec2.RunInstances(s.ctx, s.input(1)); return err }, 5, 2},
		"describe, by filter": {func(s *sim) error {
			_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{Filters: ec2Filter("tag:a", "b")})
			return err
		}, 100, 20},
		"describe, in pages": {func(s *sim) error {
			_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)})
			return err
		}, 100, 20},
		"describe everything": {func(s *sim) error {
			_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{})
			return err
		}, 50, 10},
		"CreateTags": {func(s *sim) error { return s.tag(map[string]string{"a": "b"}, s.site.VPC) }, 100, 10},
		"other changes": {func(s *sim) error {
			_, err := s.ec2.DeregisterImage(s.ctx, &ec2.DeregisterImageInput{ImageId: aws.String(s.SeedImage(Image{}))})
			return err
		}, 50, 5},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			sim := newSim(t, throttled)
			call := func() error { return tc.call(sim) }
			if n := until(t, call, 503, "RequestLimitExceeded", ""); n != tc.capacity {
				t.Errorf("%d calls at once, want %d", n, tc.capacity)
			}
			sim.clock.Advance(s - 1)
			if n := until(t, call, 503, "RequestLimitExceeded", ""); n != 0 {
				t.Errorf("%d calls before the next second", n)
			}
			sim.clock.Advance(1)
			if n := until(t, call, 503, "RequestLimitExceeded", ""); n != tc.after {
				t.Errorf("%d calls after a second, want %d", n, tc.after)
			}
			sim.clock.Advance(time.Hour)
			if n := until(t, call, 503, "RequestLimitExceeded", ""); n != tc.capacity {
				t.Errorf("%d calls after an hour, want %d", n, tc.capacity)
			}
		})
	}
}

// A launch spends a token for each instance too: 1000, and 2 a second.
func TestTheResourceBucket(t *testing.T) {
	s := newSim(t, throttled)
	many := func(n int32) error { _, err := s.ec2.RunInstances(s.ctx, s.input(n)); return err }
	if err := many(999); err != nil {
		t.Fatal(err)
	}
	wantError(t, many(2), 503, "RequestLimitExceeded", "Request limit exceeded. Account 123456789012 has been throttled on ec2:RunInstances because it exceeded its request rate limit.")
	if n := len(s.Instances()); n != 999 {
		t.Errorf("%d instances exist", n)
	}
	s.clock.Advance(time.Second)
	if err := many(3); err != nil {
		t.Errorf("after a second: %v", err)
	}
}

// One account's buckets, and one API's, are not another's.
func TestBucketsAreApart(t *testing.T) {
	s := newSim(t, throttled)
	s.RegisterAccessKey("AKIDOTHER", otherAccount)
	s.In(otherAccount, "").DefaultWorld()
	until(t, func() error { _, err := s.ec2.RunInstances(s.ctx, s.input(1)); return err }, 503, "RequestLimitExceeded", "")
	if list, err := s.describe(s.Instances()[0].ID); err != nil || len(list) != 1 {
		t.Errorf("another API: %v", err)
	}
	s.use(s.config("AKIDOTHER", "us-east-1"))
	s.launch(1)
}

// Reads of everything have a bucket of their own size, and so of their own.
func TestReadsOfEverythingAreCountedApart(t *testing.T) {
	s := newSim(t, throttled)
	until(t, func() error { _, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{}); return err }, 503, "RequestLimitExceeded", "")
	byFilter := func() error {
		_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{Filters: ec2Filter("tag:a", "b")})
		return err
	}
	if n := until(t, byFilter, 503, "RequestLimitExceeded", ""); n != 100 {
		t.Errorf("%d calls by filter at once, want 100", n)
	}
}

func TestSSMBuckets(t *testing.T) {
	s := newSim(t, throttled)
	i := 0
	put := func() error {
		i++
		_, err := s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String(fmt.Sprint("/p", i)), Value: aws.String("v"), Type: "String"})
		return err
	}
	if n := until(t, put, 400, "ThrottlingException", "Rate exceeded"); n != 3 {
		t.Errorf("%d writes at once", n)
	}
	get := func() error {
		_, err := s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/p1")})
		return err
	}
	if n := until(t, get, 400, "ThrottlingException", "Rate exceeded"); n != 40 {
		t.Errorf("%d reads at once", n)
	}
}
