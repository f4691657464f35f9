package localaws

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// inject injects a line of text.
func (s *sim) inject(line string) *FaultHandle {
	s.t.Helper()
	h, err := s.InjectText(line)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

func TestAFaultWithAProbabilityIsTheSameForASeed(t *testing.T) {
	run := func(seed int64, strangers bool) (hit []bool) {
		s := newSim(t)
		s.Cloud = New(Options{Clock: s.clock, Seed: seed})
		s.site = s.DefaultWorld()
		s.use(s.config("AKIDTEST", "us-east-1"))
		s.inject("ec2:Describe* p=0.3 before=500:InternalError")
		for range 40 {
			if strangers {
				_, _ = s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{}) // whatever it answers
			}
			_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{})
			hit = append(hit, err != nil)
		}
		return hit
	}
	first := run(1, false)
	if n := len(slices.DeleteFunc(slices.Clone(first), func(b bool) bool { return !b })); n < 4 || n > 24 {
		t.Errorf("%d of 40 calls were hit with a probability of 0.3", n)
	}
	if again := run(1, true); !slices.Equal(first, again) {
		t.Errorf("calls of another operation changed what was hit:\n%v\n%v", first, again)
	}
	if other := run(2, false); slices.Equal(first, other) {
		t.Errorf("another seed hit the same: %v", other)
	}
}

func TestAFaultHasAWindowOfTime(t *testing.T) {
	s := newSim(t)
	h := s.inject("ec2:DescribeInstances between=30s..90s before=InternalError")
	for _, step := range []struct {
		wait time.Duration
		hit  bool
	}{{0, false}, {29 * time.Second, false}, {time.Second, true}, {59 * time.Second, true}, {time.Second, false}} {
		s.clock.Advance(step.wait)
		if _, err := s.describe(); (err != nil) != step.hit {
			t.Errorf("at %s: %v, want hit %t", s.clock.Now().Format(time.TimeOnly), err, step.hit)
		}
	}
	if h.Hits() != 2 {
		t.Errorf("%d hits", h.Hits())
	}
}

func TestAFaultFindsItsResource(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("web", alb)
	ids := s.servers(2, "", 0)
	for pattern, calls := range map[string]map[string]func() error{
		ids[0]: {"by id": func() error { _, err := s.describe(ids...); return err }},
		"web": {"by the name in an ARN": func() error {
			_, err := s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
			return err
		}},
		"i-*": {"by a filter's value": func() error {
			_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{Filters: []types.Filter{{Name: aws.String("instance-id"), Values: ids[1:]}}})
			return err
		}},
	} {
		h := s.inject("*:* resource=" + pattern + " before=400:Blocked")
		for name, call := range calls {
			wantError(t, call(), 400, "Blocked", "")
			if h.Hits() != 1 {
				t.Errorf("%s: %d hits", name, h.Hits())
			}
		}
		if _, err := s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{}); err != nil {
			t.Errorf("%s: a call that names nothing reads %v", pattern, err)
		}
		h.Remove()
		for name, call := range calls {
			if err := call(); err != nil {
				t.Errorf("%s, without the fault: %v", name, err)
			}
		}
	}
}

func TestStaleReadsOfInstances(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withUserData("#localaws boot=5s configure=1s"))[0]
	s.clock.Advance(time.Minute)
	_, err := s.ec2.CreateTags(s.ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: sdkTags(map[string]string{"role": "live"})})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.terminate(id); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(10 * time.Second)
	look := func() (types.InstanceStateName, int) {
		list, err := s.describe(id)
		if err != nil {
			t.Fatal(err)
		}
		return list[0].State.Name, len(list[0].Tags)
	}
	if state, tags := look(); state != "shutting-down" || tags != 1 {
		t.Errorf("a fresh read shows %s with %d tags", state, tags)
	}
	for stale, want := range map[string]types.InstanceStateName{"11s": "running", "1m6s": "pending"} {
		h := s.inject("ec2:Describe* stale=" + stale)
		if state, tags := look(); state != want || tags != 0 {
			t.Errorf("%s ago shows %s with %d tags, want %s with none", stale, state, tags, want)
		}
		if found := s.find("instance-state-name", string(want)); len(found) != 1 {
			t.Errorf("%s ago the filter for %s finds %v", stale, want, sdkIDs(found))
		}
		tags, err := s.ec2.DescribeTags(s.ctx, &ec2.DescribeTagsInput{Filters: []types.Filter{{Name: aws.String("key"), Values: []string{"role"}}}})
		if err != nil || len(tags.Tags) != 0 {
			t.Errorf("%s ago DescribeTags shows %v, %v", stale, tags, err)
		}
		h.Remove()
	}
	s.inject("ec2:Describe* stale=2m")
	_, err = s.describe(id)
	wantError(t, err, 400, "InvalidInstanceID.NotFound", "")
	if found := s.find("instance-id", id); len(found) != 0 {
		t.Errorf("before its launch the filter finds %v", sdkIDs(found))
	}
	ledger := s.Ledger()
	if last := ledger[len(ledger)-1]; !last.Time.Equal(s.clock.Now()) {
		t.Errorf("the ledger has the stale read at %s", last.Time)
	}
}

func TestStaleReadsOfHealth(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	s.delay(group, "10")
	s.classic("web")
	id := s.servers(1, "", 0)[0]
	s.register("web", id)
	s.enroll(group, id)
	s.until("both healthy", time.Minute, func() bool {
		return s.targetHealth(group, id) == targetHealthy && s.classicHealth("web", id) == inService
	})
	s.clock.Advance(time.Minute)
	s.deregister("web", id)
	s.remove(group, id)
	s.clock.Advance(30 * time.Second)
	if got := s.targetHealth(group, id); got != targetAbsent {
		t.Errorf("a fresh read of the group: %v", got)
	}
	v1, v2 := s.inject("elb:DescribeInstanceHealth stale=31s"), s.inject("elbv2:DescribeTargetHealth stale=31s")
	if got := s.targetHealth(group, id); got != targetHealthy {
		t.Errorf("a stale read of the group: %v", got)
	}
	if got := s.classicHealth("web", id); got != inService {
		t.Errorf("a stale read of the load balancer: %v", got)
	}
	all, err := s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
	if err != nil || len(all.TargetHealthDescriptions) != 1 {
		t.Errorf("a stale read of all targets: %v, %v", all, err)
	}
	states, err := s.elb.DescribeInstanceHealth(s.ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String("web")})
	if err != nil || len(states.InstanceStates) != 1 {
		t.Errorf("a stale read of all instances: %v, %v", states, err)
	}
	v1.Remove()
	v2.Remove()
	registered := func() int {
		out, err := s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{"web"}})
		succeed(t, err)
		return len(out.LoadBalancerDescriptions[0].Instances)
	}
	if n := registered(); n != 0 {
		t.Errorf("a fresh read shows %d registered", n)
	}
	s.inject("elb:DescribeLoadBalancers stale=31s")
	if n := registered(); n != 1 {
		t.Errorf("a stale read shows %d registered", n)
	}
	s.inject("elbv2:DescribeTargetHealth stale=25s")
	if got := s.targetHealth(group, id); got != targetDraining {
		t.Errorf("a stale read while it drained: %v", got)
	}
}

func TestElementsMissingFromResults(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	ids := s.servers(2, "", 0)
	s.enroll(group, ids...)
	s.inject("*:Describe* missing=" + ids[0])
	if found := s.find("instance-state-name", "running"); !slices.Equal(sdkIDs(found), ids[1:]) {
		t.Errorf("a filter finds %v, want %v", sdkIDs(found), ids[1:])
	}
	status, err := s.ec2.DescribeInstanceStatus(s.ctx, &ec2.DescribeInstanceStatusInput{})
	if err != nil || len(status.InstanceStatuses) != 1 {
		t.Errorf("the status of %v, %v", status, err)
	}
	health, err := s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
	if err != nil || len(health.TargetHealthDescriptions) != 1 || *health.TargetHealthDescriptions[0].Target.Id != ids[1] {
		t.Errorf("the health of %v, %v", health, err)
	}
	s.inject("*:Describe* missing=api") // comes second: the first that matches happens
	groups, err := s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{})
	if err != nil || len(groups.TargetGroups) != 1 {
		t.Errorf("the groups are %v, %v", groups, err)
	}
	s.Faults()[0].Remove()
	if groups, err = s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{}); err != nil || len(groups.TargetGroups) != 0 {
		t.Errorf("without the missing one the groups are %v, %v", groups, err)
	}
}

func TestYoungThingsAreNotFound(t *testing.T) {
	s := newSim(t)
	s.inject("ec2:* young=10s")
	id := s.launch(1)[0]
	_, err := s.describe(id)
	wantError(t, err, 400, "InvalidInstanceID.NotFound", "The instance ID '"+id+"' does not exist")
	wantError(t, s.terminate(id), 400, "InvalidInstanceID.NotFound", "")
	if found := s.find("instance-id", id); len(found) != 0 {
		t.Errorf("a filter finds %v", sdkIDs(found))
	}
	s.clock.Advance(10 * time.Second)
	if list, err := s.describe(id); err != nil || len(list) != 1 {
		t.Errorf("grown up: %v, %v", sdkIDs(list), err)
	}
	if err := s.terminate(id); err != nil {
		t.Error(err)
	}
	s.wantAlive(0)
}

func TestAFaultDecidesWhatBecomesOfALaunch(t *testing.T) {
	s := newSim(t)
	s.inject("ec2:RunInstances count=1 launch=boot=never")
	s.inject("ec2:RunInstances count=1 launch=boot=2s,fail=Server.InternalError")
	stuck, failed := s.launch(1, withUserData("#localaws boot=1s"))[0], s.launch(1)[0]
	s.clock.Advance(time.Hour / 2)
	if got := s.state(stuck); got != "pending" {
		t.Errorf("a pending without an end is %s", got)
	}
	if in, _ := s.Instance(failed); in.State != "terminated" || in.StateReason != "Server.InternalError" {
		t.Errorf("pending went to %s, %s", in.State, in.StateReason)
	}
	if id := s.launch(1)[0]; s.state(id) != "pending" {
		t.Errorf("the next launch is %s", s.state(id))
	}
}

// The second instance is found by what both have, the token and the tags; the token answers with the first, now and later.
func TestALaunchMayHappenTwice(t *testing.T) {
	s := newSim(t)
	s.inject("ec2:RunInstances count=1 twice")
	launch := func() string {
		ids := s.launch(1, func(in *ec2.RunInstancesInput) {
			in.ClientToken = aws.String("slot-1")
			in.TagSpecifications = []types.TagSpecification{{ResourceType: "instance", Tags: []types.Tag{{Key: aws.String("app"), Value: aws.String("web")}}}}
		})
		if len(ids) != 1 {
			t.Fatalf("the answer names %v", ids)
		}
		return ids[0]
	}
	first := launch()
	for _, filter := range []types.Filter{{Name: aws.String("client-token"), Values: []string{"slot-1"}}, {Name: aws.String("tag:app"), Values: []string{"web"}}} {
		out := must(s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{Filters: []types.Filter{filter}}))
		var pending []string
		for _, r := range out.Reservations {
			for _, in := range r.Instances {
				if in.State.Name == types.InstanceStateNamePending {
					pending = append(pending, *in.InstanceId)
				}
			}
		}
		if len(pending) != 2 || pending[0] == pending[1] || !slices.Contains(pending, first) {
			t.Errorf("by %s: pending are %v, of which the answer named %s", *filter.Name, pending, first)
		}
	}
	for _, in := range s.Instances() {
		if in.Surplus != (in.ID != first) {
			t.Errorf("the answer named %s, and the truth has %s as surplus: %v", first, in.ID, in.Surplus)
		}
	}
	if again := launch(); again != first {
		t.Errorf("the token was answered with %s, then %s", first, again)
	}
	s.wantAlive(2)
}

// The second launch has to fit like the first.
func TestALaunchHappensTwiceWithinTheQuota(t *testing.T) {
	s := newSim(t)
	s.SetInstanceQuota(3)
	s.inject("ec2:RunInstances twice")
	for i, want := range []int{2, 3} {
		s.launch(int32(2-i), func(in *ec2.RunInstancesInput) { in.ClientToken = aws.String(strconv.Itoa(i)) })
		if got := len(s.Instances()); got != want {
			t.Errorf("after launch %d there are %d instances, with a quota of 3; want %d", i+1, got, want)
		}
	}
}
