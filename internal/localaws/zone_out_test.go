package localaws

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestInstancesOfAZoneThatIsOut(t *testing.T) {
	s := newBalancerSim(t)
	lost, other := s.servers(1, "", 0)[0], s.servers(1, "", 1)[0]
	sick := s.servers(1, "", 0)[0]
	succeed(t, s.Impair(sick))
	s.clock.Advance(5 * time.Minute)
	back := s.OutOfZone(zoneA)
	filter := func(name string, values ...string) *ec2.DescribeInstancesInput {
		return &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{{Name: &name, Values: values}}}
	}
	for name, tc := range map[string]struct {
		input *ec2.DescribeInstancesInput
		works bool
	}{
		"everything":              {&ec2.DescribeInstancesInput{}, false},
		"an id of the zone":       {&ec2.DescribeInstancesInput{InstanceIds: []string{lost}}, false},
		"ids of both":             {&ec2.DescribeInstancesInput{InstanceIds: []string{other, lost}}, false},
		"an id of another zone":   {&ec2.DescribeInstancesInput{InstanceIds: []string{other}}, true},
		"a tag":                   {filter("tag:none", "x"), false},
		"a state":                 {filter("instance-state-name", "running"), false},
		"another zone":            {filter("availability-zone", zoneB, zoneC), true},
		"this zone too":           {filter("availability-zone", zoneA, zoneB), false},
		"all zones":               {filter("availability-zone", "us-east-1?"), false},
		"a subnet of another":     {filter("subnet-id", s.site.Subnets[1]), true},
		"a subnet of the zone":    {filter("subnet-id", s.site.Subnets[0]), false},
		"ids as a filter":         {filter("instance-id", other), true},
		"ids of the zone as such": {filter("instance-id", other, lost), false},
	} {
		out, err := s.ec2.DescribeInstances(s.ctx, tc.input)
		if !tc.works {
			wantError(t, err, 503, "Unavailable", "")
		} else if err != nil || len(out.Reservations) != 1 {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
	_, err := s.ec2.DescribeInstanceStatus(s.ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: []string{lost}})
	wantError(t, err, 503, "Unavailable", "")
	if in, _ := s.Instance(lost); !in.Impaired || in.AppStatus != AppUnreachable || in.State != "running" {
		t.Errorf("an instance of the zone is %+v", in)
	}
	if in, _ := s.Instance(other); in.Impaired || in.AppStatus != 200 {
		t.Errorf("an instance of another zone is %+v", in)
	}
	_, err = s.ec2.RunInstances(s.ctx, s.input(1))
	wantError(t, err, 503, "Unavailable", "")
	s.launch(1, func(in *ec2.RunInstancesInput) { in.SubnetId = &s.site.Subnets[1] })

	back()
	if list, err := s.describe(lost, other); err != nil || len(list) != 2 {
		t.Errorf("afterwards: %v, %v", list, err)
	}
	if in, _ := s.Instance(lost); in.Impaired || in.AppStatus != 200 {
		t.Errorf("afterwards an instance of the zone is %+v", in)
	}
	if in, _ := s.Instance(sick); !in.Impaired {
		t.Error("an instance that was impaired before was healed by the zone's return")
	}
}

func TestMembersInAZoneThatIsOut(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.NetworkRegistration = Span{} })
	s.classic("classic")
	s.crossZone("classic", true)
	web, flows := s.behind("web", alb), s.behind("flows", nlb)
	lost, other := s.servers(1, "", 0)[0], s.servers(1, "", 1)[0]
	s.register("classic", lost, other)
	s.enroll(web, lost, other)
	s.enroll(flows, lost, other)
	pools := []string{"classic", web, flows}
	for _, pool := range pools {
		s.until("healthy", time.Minute, func() bool { return s.pool(pool).Healthy == 2 })
	}
	back := s.OutOfZone(zoneA)
	for _, pool := range pools {
		s.until("the zone's member is unhealthy", time.Minute, func() bool { return s.member(pool, lost).State == "unhealthy" })
		s.until("nobody sends it requests", time.Minute, func() bool { return len(s.senders(pool, lost)) == 0 })
		if m := s.member(pool, other); m.State != "healthy" {
			t.Errorf("%s: the other zone's member is %+v", pool, m)
		}
	}
	back()
	for _, pool := range pools {
		s.until("healthy again", time.Minute, func() bool { return s.pool(pool).Healthy == 2 })
	}
}

func TestTrafficWithoutAZone(t *testing.T) {
	s := newPlaneSim(t)
	kinds := s.allKinds()
	lost := s.servers(1, "lost")[0]
	other := s.launch(1, func(in *ec2.RunInstancesInput) {
		in.SubnetId = &s.site.Subnets[1]
		in.UserData = userData("#localaws boot=100ms configure=100ms version=other")
	})[0]
	s.await("it serves", func() bool { return s.ServerURL(other) != "" })
	for _, k := range kinds {
		k.enter(lost, other)
		s.healthy(k.pool, 2)
	}
	back := s.OutOfZone(zoneA)
	for name, k := range kinds {
		s.healthy(k.pool, 1)
		for range 4 {
			if a, err := s.get(client(t, true), k.url); err != nil || a.version != "other" {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		}
	}
	if a, err := s.get(client(t, true), s.at("classic", zoneA)); err == nil {
		t.Errorf("a node of the zone answers %+v", a)
	}
	back()
	for _, k := range kinds {
		s.healthy(k.pool, 2)
	}
	if a, err := s.get(client(t, true), s.at("classic", zoneA)); err != nil || a.status != 200 {
		t.Errorf("afterwards the node of the zone answers %+v, %v", a, err)
	}
}

func TestZonalShift(t *testing.T) {
	s := newPlaneSim(t)
	k := s.allKinds()["application"]
	shifted := s.servers(1, "shifted")[0]
	other := s.launch(1, func(in *ec2.RunInstancesInput) {
		in.SubnetId = &s.site.Subnets[1]
		in.UserData = userData("#localaws boot=100ms configure=100ms version=other")
	})[0]
	s.await("it serves", func() bool { return s.ServerURL(other) != "" })
	k.enter(shifted, other)
	s.healthy(k.pool, 2)
	if _, err := s.ShiftZone("application", zoneA); err == nil {
		t.Error("a shift of a load balancer that does not allow it")
	}
	if o := s.override(k.pool, shifted); o != nil {
		t.Errorf("where shifts are not enabled: %+v", o)
	}
	lb := must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"application"}})).LoadBalancers[0]
	must(s.v2.ModifyLoadBalancerAttributes(s.ctx, &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: lb.LoadBalancerArn,
		Attributes: []types.LoadBalancerAttribute{{Key: aws.String("zonal_shift.config.enabled"), Value: aws.String("true")}}}))
	for _, bad := range [][2]string{{"application", zoneC}, {"classic", zoneA}, {"absent", zoneA}} {
		if _, err := s.ShiftZone(bad[0], bad[1]); err == nil {
			t.Errorf("a shift of %v", bad)
		}
	}
	state := func(id string) string { return string(s.override(k.pool, id).State) }
	if state(shifted) != "no_override" {
		t.Errorf("before the shift: %s", state(shifted))
	}

	end, err := s.ShiftZone("application", zoneA)
	succeed(t, err)
	if _, err := s.ShiftZone("application", zoneB); err == nil {
		t.Error("two shifts at a time")
	}
	if got := s.targetHealth(k.pool, shifted); got != targetHealthy || state(shifted) != "zonal_shift_active" || state(other) != "no_override" {
		t.Errorf("in the shift: %v, %s; the other zone's %s", got, state(shifted), state(other))
	}
	if m := s.member(k.pool, shifted); m.Receiving {
		t.Errorf("in the shift it gets requests: %+v", m)
	}
	urls := []string{k.url, s.at("application", zoneA), s.at("application", zoneB)}
	for range 4 {
		for _, url := range urls {
			if a, err := s.get(client(t, true), url); err != nil || a.version != "other" {
				t.Errorf("%s: %+v, %v", url, a, err)
			}
		}
	}
	s.setGroup(k.pool, "load_balancing.cross_zone.enabled", "false")
	if state(shifted) != "zonal_shift_delegated_to_dns" {
		t.Errorf("without cross-zone balancing: %s", state(shifted))
	}
	if a, err := s.get(client(t, true), s.at("application", zoneA)); err != nil || a.version != "shifted" {
		t.Errorf("left to DNS, the zone's own node answers %+v, %v", a, err)
	}
	s.setGroup(k.pool, "load_balancing.cross_zone.enabled", "true")

	end()
	if state(shifted) != "no_override" {
		t.Errorf("after the shift: %s", state(shifted))
	}
	s.await("both serve again", func() bool {
		var seen []string
		for range 4 {
			a, err := s.get(client(t, true), k.url)
			succeed(t, err)
			seen = append(seen, a.version)
		}
		return slices.Contains(seen, "shifted") && slices.Contains(seen, "other")
	})
}

// override is what DescribeTargetHealth says of zonal shifts.
func (s *balancerSim) override(group, id string) *types.AdministrativeOverride {
	s.t.Helper()
	out := must(s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group, Targets: targets([]string{id})}))
	return out.TargetHealthDescriptions[0].AdministrativeOverride
}
