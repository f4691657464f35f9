package localaws

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// byAddresses makes a target group of addresses behind an Application Load Balancer.
func (s *balancerSim) byAddresses(name string) string {
	s.t.Helper()
	out := must(s.v2.CreateTargetGroup(s.ctx, &elbv2.CreateTargetGroupInput{Name: &name, Protocol: "HTTP", Port: aws.Int32(80), VpcId: &s.site.VPC,
		TargetType: "ip", HealthCheckIntervalSeconds: aws.Int32(5), HealthCheckTimeoutSeconds: aws.Int32(2), UnhealthyThresholdCount: &s.unhealthy}))
	group := *out.TargetGroups[0].TargetGroupArn
	s.listener(s.balancer(name, alb), 80, group)
	return group
}

func TestTargetsByAddress(t *testing.T) {
	s := newBalancerSim(t)
	group := s.byAddresses("web")
	s.delay(group, "30")
	described := must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{"web"}}))
	if got := described.TargetGroups[0].TargetType; got != "ip" {
		t.Errorf("its type reads %s", got)
	}
	id := s.servers(1, "", 0)[0]
	in, _ := s.Instance(id)
	s.enroll(group, in.PrivateIP)
	s.until("healthy", time.Minute, func() bool { return s.targetHealth(group, in.PrivateIP) == targetHealthy })
	health := must(s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})).TargetHealthDescriptions
	if len(health) != 1 || *health[0].Target.Id != in.PrivateIP || aws.ToString(health[0].Target.AvailabilityZone) != "us-east-1a" {
		t.Errorf("%+v", health)
	}
	if m := s.member(group, id); !m.Receiving {
		t.Errorf("%+v", m)
	}
	// An address stays when its instance has gone, and fails its checks.
	succeed(t, s.Kill(id))
	s.until("unhealthy", time.Minute, func() bool {
		return s.targetHealth(group, in.PrivateIP) == [3]string{"unhealthy", "Target.Timeout", "Request timed out"}
	})
	s.clock.Advance(time.Hour)
	if n := len(s.pool(group).Members); n != 1 {
		t.Errorf("an hour later there are %d targets", n)
	}
	s.remove(group, in.PrivateIP)
	_, err := s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: targets([]string{in.PrivateIP})})
	wantError(t, err, 400, "InvalidTarget", "") // an address has to wait for the end of its draining
	s.clock.Advance(30 * time.Second)
	s.enroll(group, in.PrivateIP)
	if got := s.targetHealth(group, in.PrivateIP); got != targetJoining {
		t.Errorf("registered again: %v", got)
	}
}

// Who gets the address gets the requests.
func TestAnAddressFindsItsNewInstance(t *testing.T) {
	s := newBalancerSim(t)
	group := s.byAddresses("web")
	s.enroll(group, "172.16.0.4") // nobody has it yet
	s.until("unhealthy", time.Minute, func() bool { return s.targetHealth(group, "172.16.0.4")[0] == "unhealthy" })
	id := s.servers(1, "", 0)[0]
	if in, _ := s.Instance(id); in.PrivateIP != "172.16.0.4" {
		t.Fatalf("the instance has %s", in.PrivateIP)
	}
	s.until("healthy", time.Minute, func() bool { return s.targetHealth(group, "172.16.0.4") == targetHealthy })
	if m := s.member(group, id); !m.Receiving {
		t.Errorf("%+v", s.pool(group))
	}
}

func TestTargetsByAddressThatAreRefused(t *testing.T) {
	s := newBalancerSim(t)
	group, instances := s.byAddresses("web"), s.behind("old", alb)
	id := s.servers(1, "", 0)[0]
	register := func(group, id, zone string) error {
		target := types.TargetDescription{Id: &id}
		if zone != "" {
			target.AvailabilityZone = &zone
		}
		_, err := s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: []types.TargetDescription{target}})
		return err
	}
	wantError(t, register(group, id, ""), 400, "ValidationError", "The provided target ID '"+id+"' is not a valid IPv4 address")
	wantError(t, register(group, "10.9.9.9", ""), 400, "InvalidTarget", "")
	wantError(t, register(group, "172.16.0.4", "us-east-1b"), 400, "ValidationError", "")
	wantError(t, register(instances, id, "us-east-1a"), 400, "ValidationError", "")
	succeed(t, register(group, "172.16.0.4", "us-east-1a"))
	for _, kind := range []types.TargetTypeEnum{"lambda", "alb"} {
		_, err := s.v2.CreateTargetGroup(s.ctx, &elbv2.CreateTargetGroupInput{Name: aws.String("x"), Protocol: "HTTP", Port: aws.Int32(80),
			VpcId: &s.site.VPC, TargetType: kind})
		wantError(t, err, 400, "InvalidConfigurationRequest", "The TargetType '"+string(kind)+"' is not simulated here; use instance or ip")
	}
	if byAddress, byID := len(s.pool(group).Members), len(s.pool(instances).Members); byAddress != 1 || byID != 0 {
		t.Errorf("%d targets by address and %d by id", byAddress, byID)
	}
}
