package localaws

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
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
		capacity, after int                  // calls at once, and a second after that
		done            func(*sim, int) bool // tells whether the world shows so many calls; nil for reads
	}{
		"RunInstances": {func(s *sim) error { _, err := s.ec2.RunInstances(s.ctx, s.input(1)); return err }, 5, 2,
			func(s *sim, n int) bool { return len(s.find("image-id", s.site.V1)) == n }},
		"describe, by filter": {func(s *sim) error {
			_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{Filters: ec2Filter("tag:a", "b")})
			return err
		}, 100, 20, nil},
		"describe, in pages": {func(s *sim) error {
			_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)})
			return err
		}, 100, 20, nil},
		"describe everything": {func(s *sim) error {
			_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{})
			return err
		}, 50, 10, nil},
		"CreateTags": {func(s *sim) error { return s.tag(map[string]string{"a": "b"}, s.site.VPC) }, 100, 10,
			func(s *sim, _ int) bool { return s.readTagsOf(s.site.VPC)["a"] == "b" }},
		"other changes": {func(s *sim) error {
			_, err := s.ec2.DeregisterImage(s.ctx, &ec2.DeregisterImageInput{ImageId: aws.String(s.SeedImage(Image{}))})
			return err
		}, 50, 5, func(s *sim, _ int) bool {
			return len(must(s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{})).Images) == 4+4 // the world's own, and those of the throttled calls
		}},
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
			if n := tc.capacity + tc.after + tc.capacity; tc.done != nil && !tc.done(sim, n) {
				t.Errorf("the world does not show %d calls", n)
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
	s.wantAlive(1002)
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
	if n := len(s.find("instance-state-name", statePending)); n != 1 {
		t.Errorf("the other account has %d servers", n)
	}
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
	s.clock.Advance(time.Second)
	if n := until(t, get, 400, "ThrottlingException", "Rate exceeded"); n != 40 {
		t.Errorf("%d reads after a second", n)
	}
}

// The buckets of load balancing: one for all calls of an API version, and one for each kind of call (ELB user guide).
func TestELBBuckets(t *testing.T) {
	for name, tc := range map[string]struct {
		tune     func(*Knobs)
		call     func(*balancerSim) error
		capacity int           // calls at once
		wait     time.Duration // and so many more after this
		after    int
	}{
		"reads": {throttled, func(s *balancerSim) error {
			_, err := s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{})
			return err
		}, 40, time.Second, 10},
		"reads since 2026-03-25": {func(k *Knobs) { k.Throttle, k.LargerELBReads = true, true }, func(s *balancerSim) error {
			_, err := s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{})
			return err
		}, 200, time.Second, 50},
		"registrations": {throttled, func(s *balancerSim) error {
			_, err := s.elb.DeregisterInstancesFromLoadBalancer(s.ctx, &elb.DeregisterInstancesFromLoadBalancerInput{
				LoadBalancerName: aws.String("web"), Instances: instances([]string{"i-00000000"})})
			return err
		}, 20, time.Second, 4},
		"changes": {throttled, func(s *balancerSim) error {
			_, err := s.elb.AddTags(s.ctx, &elb.AddTagsInput{LoadBalancerNames: []string{"web"}, Tags: []elbtypes.Tag{{Key: aws.String("a")}}})
			return err
		}, 20, time.Second, 3},
		"heavy ones": {throttled, func(s *balancerSim) error {
			_, err := s.elb.DetachLoadBalancerFromSubnets(s.ctx, &elb.DetachLoadBalancerFromSubnetsInput{LoadBalancerName: aws.String("web"), Subnets: s.site.Subnets[2:3]})
			return err
		}, 9, 10 * time.Second, 2}, // one went to the load balancer
	} {
		t.Run(name, func(t *testing.T) {
			s := newBalancerSim(t)
			s.Tune(tc.tune)
			s.classic("web")
			s.clock.Advance(time.Second)
			call := func() error {
				if err := tc.call(s); err == nil || strings.Contains(err.Error(), "Throttling") {
					return err
				}
				return nil // a call that is refused has taken its token too
			}
			if n := until(t, call, 400, "Throttling", "Rate exceeded"); n != tc.capacity {
				t.Errorf("%d calls at once, want %d", n, tc.capacity)
			}
			s.clock.Advance(tc.wait)
			if n := until(t, call, 400, "Throttling", "Rate exceeded"); n != tc.after {
				t.Errorf("%d calls after %s, want %d", n, tc.wait, tc.after)
			}
			s.clock.Advance(time.Minute) // reads have a bucket too
			web := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{})).LoadBalancerDescriptions
			tags := must(s.elb.DescribeTags(s.ctx, &elb.DescribeTagsInput{LoadBalancerNames: []string{"web"}})).TagDescriptions[0].Tags
			if len(web) != 1 || len(web[0].AvailabilityZones) != 2 || (len(tags) == 1) != (name == "changes") {
				t.Errorf("%+v with the tags %+v", web, tags)
			}
		})
	}
}

// What one kind of call takes from the bucket of all, the others miss; the other version of the API has its own.
func TestTheELBBucketOfTheAccount(t *testing.T) {
	s := newBalancerSim(t)
	s.Tune(throttled)
	group := s.group("api", "HTTP")
	read := func() error {
		_, err := s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{})
		return err
	}
	if n := until(t, read, 400, "Throttling", "Rate exceeded"); n != 39 {
		t.Errorf("%d reads after one change, want 39 of 40", n)
	}
	_, err := s.v2.DeregisterTargets(s.ctx, &elbv2.DeregisterTargetsInput{TargetGroupArn: &group, Targets: targets([]string{"i-1"})})
	wantError(t, err, 400, "Throttling", "Rate exceeded")
	if _, err := s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{}); err != nil {
		t.Errorf("the other version: %v", err)
	}
}

// Each account, and each region, has buckets of its own.
func TestELBBucketsOfAccountsAndRegionsAreApart(t *testing.T) {
	s := newBalancerSim(t)
	s.Tune(throttled)
	s.RegisterAccessKey("AKIDOTHER", otherAccount)
	read := func(key, region string) func() error {
		client := elb.NewFromConfig(s.config(key, region))
		return func() error {
			_, err := client.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{})
			return err
		}
	}
	for _, who := range [][2]string{{"AKIDTEST", "us-east-1"}, {"AKIDTEST", "eu-central-1"}, {"AKIDOTHER", "us-east-1"}} {
		if n := until(t, read(who[0], who[1]), 400, "Throttling", "Rate exceeded"); n != 40 {
			t.Errorf("%s in %s: %d reads at once, want 40", who[0], who[1], n)
		}
	}
}

func TestWhetherIDsCountAsAFilter(t *testing.T) {
	for counts, want := range map[bool]int{false: 50, true: 100} {
		s := newSim(t, func(k *Knobs) { k.Throttle, k.IDsAreAFilter = true, counts })
		id := s.launch(1)[0]
		if n := until(t, func() error { _, err := s.describe(id); return err }, 503, "RequestLimitExceeded", ""); n != want {
			t.Errorf("ids count %t: %d reads at once, want %d", counts, n, want)
		}
	}
}

func TestThrottlingIsOnByDefault(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.Throttle = DefaultKnobs().Throttle })
	if n := until(t, func() error { _, err := s.ec2.RunInstances(s.ctx, s.input(1)); return err }, 503, "RequestLimitExceeded", ""); n != 5 {
		t.Errorf("%d launches at once", n)
	}
	s.Tune(func(k *Knobs) { k.Throttle = false })
	for range 60 {
		s.launch(1)
	}
	s.wantAlive(65)
}

// The rows of EC2's table that have resource tokens: a call spends one for each instance.
func TestResourceTokensOfTheOtherCalls(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.Throttle, k.PendingMin, k.PendingMax, k.Stopping = true, 0, 0, 0 })
	ids := s.launch(1000)
	s.clock.Advance(time.Second)
	if err := s.stopIDs(ids...); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Second)
	stopped := func(want int) {
		t.Helper()
		if got := s.find("instance-state-name", stateStopping, stateStopped); len(got) != want {
			t.Errorf("%d servers have stopped, want %d", len(got), want)
		}
	}
	stopped(1000)
	start := func(ids ...string) error {
		_, err := s.ec2.StartInstances(s.ctx, &ec2.StartInstancesInput{InstanceIds: ids})
		return err
	}
	if err := start(ids...); err != nil {
		t.Fatal(err)
	}
	wantError(t, start(ids[:3]...), 503, "RequestLimitExceeded", "")
	stopped(0)
	s.clock.Advance(time.Second)
	wantError(t, s.stopIDs(ids[:200]...), 503, "RequestLimitExceeded", "") // two seconds brought 40 tokens
	if err := s.stopIDs(ids[:40]...); err != nil {
		t.Error(err)
	}
	stopped(40)
	if err := s.terminate(ids...); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.terminate(ids...), 503, "RequestLimitExceeded", "")
	s.wantAlive(0)
}
