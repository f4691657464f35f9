package localaws

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

const (
	alb = types.LoadBalancerTypeEnumApplication
	nlb = types.LoadBalancerTypeEnumNetwork
)

var (
	targetHealthy  = [3]string{"healthy", "", ""}
	targetJoining  = [3]string{"initial", "Elb.RegistrationInProgress", "Target registration is in progress"}
	targetChecking = [3]string{"initial", "Elb.InitialHealthChecking", "Initial health checks in progress"}
	targetDraining = [3]string{"draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"}
	targetAbsent   = [3]string{"unused", "Target.NotRegistered", "Target is not registered to the target group"}
	targetUnused   = [3]string{"unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"}
	targetZone     = [3]string{"unused", "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer"}
	targetStopped  = [3]string{"unused", "Target.InvalidState", "Target is in the stopped state"}
	targetEnded    = [3]string{"unused", "Target.InvalidState", "Target is in the terminated state"}
)

func TestTargetLife(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	s.delay(group, "30")
	id := s.servers(1, "", 0)[0]
	if got := s.targetHealth(group, id); got != targetAbsent {
		t.Errorf("before the registration: %v", got)
	}
	s.enroll(group, id)
	if got := s.targetHealth(group, id); got != targetJoining {
		t.Errorf("after the registration: %v", got)
	}
	s.clock.Advance(2 * time.Second)
	if got := s.targetHealth(group, id); got != targetChecking {
		t.Errorf("before the first check: %v", got)
	}
	s.until("healthy", 5*time.Second, func() bool { return s.targetHealth(group, id) == targetHealthy })

	succeed(t, s.SetAppStatus(id, 502))
	took := s.until("unhealthy", time.Minute, func() bool {
		return s.targetHealth(group, id) == [3]string{"unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [502]"}
	})
	if took <= 5*time.Second || took > 10*time.Second {
		t.Errorf("two failed checks took %s", took)
	}
	if p := s.pool(group); p.Healthy != 0 || !p.Members[0].Receiving {
		t.Errorf("a target group without healthy targets fails open: %+v", p)
	}
	succeed(t, s.SetAppStatus(id, 200))
	s.until("three passed checks", 16*time.Second, func() bool { return s.targetHealth(group, id) == targetHealthy })

	s.remove(group, id)
	if got := s.targetHealth(group, id); got != targetDraining {
		t.Errorf("while draining: %v", got)
	}
	if p := s.pool(group); p.Members[0].Receiving || p.Healthy != 0 {
		t.Errorf("while draining: %+v", p)
	}
	if took := s.until("absent", time.Minute, func() bool { return s.targetHealth(group, id) == targetAbsent }); took != 30*time.Second {
		t.Errorf("an idle target drained for %s, want the whole delay", took)
	}
	want := []string{"registered", "healthy", "unhealthy", "healthy", "draining", "gone"}
	if got := s.changes("api/" + id); !slices.Equal(got, want) {
		t.Errorf("the ledger says %v, want %v", got, want)
	}
	s.remove(group, id) // a target that is not registered is no error
	if got := s.targetHealth(group, id); got != targetAbsent {
		t.Errorf("after it was removed again: %v", got)
	}
}

func TestTargetFailures(t *testing.T) {
	s := newBalancerSim(t)
	web, flows := s.behind("web", alb), s.behind("flows", nlb)
	for _, tc := range []struct {
		status int
		group  string
		want   [3]string
	}{
		{AppHangs, web, [3]string{"unhealthy", "Target.Timeout", "Request timed out"}},
		{AppRefuses, web, [3]string{"unhealthy", "Target.FailedHealthChecks", "Health checks failed"}},
		{404, web, [3]string{"unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [404]"}},
		{AppRefuses, flows, [3]string{"unhealthy", "Target.FailedHealthChecks", "Health checks failed"}},
		{AppUnreachable, flows, [3]string{"unhealthy", "Target.FailedHealthChecks", "Health checks failed"}},
		{AppHangs, flows, targetHealthy}, // a connection is all that a TCP check asks for
	} {
		id := s.servers(1, "", 0)[0]
		succeed(t, s.SetAppStatus(id, tc.status))
		s.enroll(tc.group, id)
		s.until(fmt.Sprintf("status %d in %s", tc.status, tc.group), 320*time.Second, func() bool { return s.targetHealth(tc.group, id) == tc.want })
	}
}

func TestRegisteringAgainCancelsDraining(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	id := s.servers(1, "", 0)[0]
	s.enroll(group, id)
	s.until("healthy", 10*time.Second, func() bool { return s.targetHealth(group, id) == targetHealthy })
	s.remove(group, id)
	s.clock.Advance(time.Minute)
	s.enroll(group, id)
	if got := s.targetHealth(group, id); got != targetHealthy {
		t.Errorf("registered while draining: %v", got)
	}
	s.clock.Advance(time.Hour)
	if got := s.targetHealth(group, id); got != targetHealthy {
		t.Errorf("the drain was not cancelled: %v", got)
	}
}

func TestTargetGroupThatNoRuleUses(t *testing.T) {
	s := newBalancerSim(t)
	group := s.group("api", "HTTP")
	id := s.servers(1, "", 0)[0]
	s.enroll(group, id)
	s.clock.Advance(time.Hour)
	if got := s.targetHealth(group, id); got != targetUnused {
		t.Errorf("after an hour: %v", got)
	}
	balancer := s.balancer("api", alb)
	idle := s.group("idle", "HTTP")
	listener := s.listener(balancer, 80, idle)
	zero := []types.Action{{Type: "forward", ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
		{TargetGroupArn: &idle, Weight: aws.Int32(100)}, {TargetGroupArn: &group, Weight: aws.Int32(0)}}}}}
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: zero}))
	if got := s.targetHealth(group, id); got != targetJoining {
		t.Errorf("once a rule names the group: %v", got)
	}
	s.until("weight 0 is checked too", 10*time.Second, func() bool { return s.targetHealth(group, id) == targetHealthy })
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(idle)}))
	if got := s.targetHealth(group, id); got != targetUnused {
		t.Errorf("once no rule names the group: %v", got)
	}
	s.clock.Advance(time.Second) // the longest that a node takes to follow
	s.remove(group, id)
	if got := s.targetHealth(group, id); got != targetAbsent {
		t.Errorf("nothing can be in flight in a group that is not in use: %v", got)
	}
}

func TestTargetInstanceStates(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	ids, elsewhere := s.servers(2, "", 0), s.servers(1, "", 2)[0]
	s.enroll(group, append(ids, elsewhere)...)
	if got := s.targetHealth(group, elsewhere); got != targetZone {
		t.Errorf("in another zone: %v", got)
	}
	s.until("healthy", 10*time.Second, func() bool { return s.pool(group).Healthy == 2 })
	lb := must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"api"}})).LoadBalancers[0]
	must(s.v2.SetSubnets(s.ctx, &elbv2.SetSubnetsInput{LoadBalancerArn: lb.LoadBalancerArn, Subnets: s.site.Subnets}))
	s.until("healthy in the new zone", 10*time.Second, func() bool { return s.pool(group).Healthy == 3 })

	must(s.ec2.StopInstances(s.ctx, &ec2.StopInstancesInput{InstanceIds: ids[:1]}))
	s.until("stopped", time.Minute, func() bool { return s.targetHealth(group, ids[0]) == targetStopped })
	must(s.ec2.StartInstances(s.ctx, &ec2.StartInstancesInput{InstanceIds: ids[:1]}))
	s.until("healthy again", time.Minute, func() bool { return s.targetHealth(group, ids[0]) == targetHealthy })
	must(s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: ids[1:]}))
	s.until("terminated", time.Minute, func() bool { return s.targetHealth(group, ids[1]) == targetEnded })
	s.until("left by itself", 5*time.Minute, func() bool { return s.targetHealth(group, ids[1]) == targetAbsent })
}

func TestRegisterTargetsRefusals(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	running, pending := s.servers(1, "", 0)[0], s.launch(1)[0]
	register := func(ids ...string) error {
		_, err := s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: targets(ids)})
		return err
	}
	wantError(t, register(running, pending), 400, "InvalidTarget",
		"The following targets are not in a running state and cannot be registered: '"+pending+"'")
	wantError(t, register("10.0.0.7"), 400, "ValidationError", "Instance ID '10.0.0.7' is not valid")
	wantError(t, register("i-0123456789abcdef0"), 400, "InvalidTarget", "")
	if n := len(s.pool(group).Members); n != 0 {
		t.Errorf("refused registrations left %d targets", n)
	}
	_, err := s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: aws.String(group + "0"), Targets: targets([]string{running})})
	wantError(t, err, 400, "TargetGroupNotFound", "One or more target groups not found")
	_, err = s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: aws.String("api")})
	wantError(t, err, 400, "ValidationError", "'api' is not a valid target group ARN")

	// One instance may be registered on several ports; without a port the group's own is meant.
	must(s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: []types.TargetDescription{
		{Id: &running}, {Id: &running, Port: aws.Int32(8081)}}}))
	s.remove(group, running)
	out := must(s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group}))
	for _, d := range out.TargetHealthDescriptions {
		if want := map[int32]types.TargetHealthStateEnum{80: "draining", 8081: "initial"}[*d.Target.Port]; d.TargetHealth.State != want {
			t.Errorf("port %d is %s, want %s", *d.Target.Port, d.TargetHealth.State, want)
		}
	}
	if len(out.TargetHealthDescriptions) != 2 {
		t.Errorf("%d targets", len(out.TargetHealthDescriptions))
	}
}

func TestNetworkTimings(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("flows", nlb)
	s.delay(group, "10")
	id := s.servers(1, "", 0)[0]
	s.enroll(group, id)
	if took := s.until("healthy", 306*time.Second, func() bool { return s.targetHealth(group, id) == targetHealthy }); took < 180*time.Second {
		t.Errorf("registration took %s, want at least 180 s", took)
	}
	s.remove(group, id)
	if took := s.until("absent", 301*time.Second, func() bool { return s.targetHealth(group, id) == targetAbsent }); took < 180*time.Second {
		t.Errorf("deregistration took %s, want at least 180 s", took)
	}
}

func TestDeregistrationLag(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.DeregistrationLag = Span{4 * time.Second, 4 * time.Second} })
	group := s.behind("api", alb)
	ids := s.servers(2, "", 0)
	s.enroll(group, ids...)
	s.until("healthy", 10*time.Second, func() bool { return s.pool(group).Healthy == 2 })
	s.remove(group, ids[0])
	if m := s.member(group, ids[0]); !m.Draining || !m.Receiving {
		t.Errorf("nodes have not heard of the deregistration yet: %+v", m)
	}
	if took := s.until("no requests", time.Minute, func() bool { return !s.member(group, ids[0]).Receiving }); took != 4*time.Second {
		t.Errorf("requests kept coming for %s", took)
	}
}

func TestFailOpenThresholds(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	ids := s.servers(4, "", 0)
	s.enroll(group, ids...)
	s.until("healthy", 10*time.Second, func() bool { return s.pool(group).Healthy == 4 })
	succeed(t, s.SetAppStatus(ids[0], 500))
	s.until("one unhealthy", 20*time.Second, func() bool { return s.pool(group).Healthy == 3 })
	receiving := func() (n int) {
		for _, m := range s.pool(group).Members {
			if m.Receiving {
				n++
			}
		}
		return n
	}
	s.until("no node sends it requests", 6*time.Second, func() bool { return receiving() == 3 })
	s.setGroup(group, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "4")
	if n := receiving(); n != 4 {
		t.Errorf("below the minimum %d get requests", n)
	}
	s.setGroup(group, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1")
	s.setGroup(group, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "76")
	if n := receiving(); n != 4 {
		t.Errorf("below the percentage %d get requests", n)
	}
}

func TestFailOpenWithNewTargets(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	s.enroll(group, s.servers(1, "", 0)[0])
	if m := s.pool(group).Members[0]; !m.Receiving {
		t.Errorf("alone, a new target gets requests before its first check: %+v", m)
	}
	s.Tune(func(k *Knobs) { k.Balancers.FailOpenSkipsInitial = true })
	if m := s.pool(group).Members[0]; m.Receiving {
		t.Errorf("with the knob it gets none: %+v", m)
	}
}

func TestCreateIsIdempotent(t *testing.T) {
	s := newBalancerSim(t)
	group, balancer := s.group("api", "HTTP"), s.balancer("api", alb)
	if again := s.group("api", "HTTP"); again != group {
		t.Errorf("equal settings made another group: %s", again)
	}
	if again := s.balancer("api", alb); again != balancer {
		t.Errorf("equal settings made another load balancer: %s", again)
	}
	listener := s.listener(balancer, 80, group)
	if again := s.listener(balancer, 80, group); again != listener {
		t.Errorf("equal settings made another listener: %s", again)
	}
	_, err := s.v2.CreateTargetGroup(s.ctx, &elbv2.CreateTargetGroupInput{Name: aws.String("api"), Protocol: "HTTP", Port: aws.Int32(81), VpcId: &s.site.VPC})
	wantError(t, err, 400, "DuplicateTargetGroupName", "A target group with the same name 'api' exists, but with different settings")
	_, err = s.v2.CreateLoadBalancer(s.ctx, &elbv2.CreateLoadBalancerInput{Name: aws.String("api"), Subnets: s.site.Subnets})
	wantError(t, err, 400, "DuplicateLoadBalancerName", "A load balancer with the same name 'api' exists, but with different settings")
	_, err = s.v2.CreateListener(s.ctx, &elbv2.CreateListenerInput{LoadBalancerArn: &balancer, Port: aws.Int32(80), Protocol: "HTTP",
		DefaultActions: forward(s.group("other", "HTTP"))})
	wantError(t, err, 400, "DuplicateListener", "A listener already exists on this port for this load balancer '"+balancer+"'")

	groups := must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{})).TargetGroups
	balancers := must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{})).LoadBalancers
	listeners := must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{LoadBalancerArn: &balancer})).Listeners
	if len(groups) != 2 || len(balancers) != 1 || len(listeners) != 1 { // api and other
		t.Errorf("there are %d groups, %d load balancers and %d listeners", len(groups), len(balancers), len(listeners))
	}
}

func TestTargetGroupSettings(t *testing.T) {
	s := newBalancerSim(t)
	create := func(change func(*elbv2.CreateTargetGroupInput)) (*types.TargetGroup, error) {
		in := &elbv2.CreateTargetGroupInput{Name: aws.String("tg"), Protocol: "HTTP", Port: aws.Int32(80), VpcId: &s.site.VPC}
		change(in)
		out, err := s.v2.CreateTargetGroup(s.ctx, in)
		if err != nil {
			return nil, err
		}
		return &out.TargetGroups[0], nil
	}
	for name, tc := range map[string]struct {
		change        func(*elbv2.CreateTargetGroupInput)
		code, message string
	}{
		"name":     {func(in *elbv2.CreateTargetGroupInput) { in.Name = aws.String("-x") }, "ValidationError", ""},
		"protocol": {func(in *elbv2.CreateTargetGroupInput) { in.Protocol = "GENEVE" }, "InvalidConfigurationRequest", ""},
		"type":     {func(in *elbv2.CreateTargetGroupInput) { in.TargetType = "lambda" }, "InvalidConfigurationRequest", ""},
		"no vpc":   {func(in *elbv2.CreateTargetGroupInput) { in.VpcId = nil }, "ValidationError", ""},
		"no port":  {func(in *elbv2.CreateTargetGroupInput) { in.Port = nil }, "ValidationError", ""},
		"interval": {func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckIntervalSeconds = aws.Int32(4) }, "ValidationError", ""},
		"interval and timeout": {func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckIntervalSeconds = aws.Int32(5) }, "ValidationError",
			"Health check interval must be greater than the timeout."},
		"threshold": {func(in *elbv2.CreateTargetGroupInput) { in.HealthyThresholdCount = aws.Int32(11) }, "ValidationError", ""},
		"matcher":   {func(in *elbv2.CreateTargetGroupInput) { in.Matcher = &types.Matcher{HttpCode: aws.String("500")} }, "ValidationError", ""},
		"path":      {func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckPath = aws.String("x") }, "ValidationError", ""},
		"unknown parameter": {func(in *elbv2.CreateTargetGroupInput) { in.TargetControlPort = aws.Int32(1) }, "ValidationError",
			"The parameter TargetControlPort is not recognized"},
	} {
		_, err := create(tc.change)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantError(t, err, 400, tc.code, tc.message)
	}
	made, err := create(func(*elbv2.CreateTargetGroupInput) {})
	succeed(t, err)
	if *made.HealthCheckIntervalSeconds != 30 || *made.HealthCheckTimeoutSeconds != 5 || *made.HealthyThresholdCount != 5 ||
		*made.UnhealthyThresholdCount != 2 || *made.Matcher.HttpCode != "200" || *made.HealthCheckPath != "/" ||
		*made.HealthCheckPort != "traffic-port" || made.TargetType != "instance" || *made.ProtocolVersion != "HTTP1" {
		t.Errorf("the defaults are %+v", made)
	}
	if !strings.HasPrefix(*made.TargetGroupArn, "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/tg/") {
		t.Errorf("the ARN is %s", *made.TargetGroupArn)
	}
	must(s.v2.ModifyTargetGroup(s.ctx, &elbv2.ModifyTargetGroupInput{TargetGroupArn: made.TargetGroupArn, HealthCheckPath: aws.String("/up"),
		Matcher: &types.Matcher{HttpCode: aws.String("200-204")}, HealthCheckPort: aws.String("81")}))
	got := must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{"tg"}})).TargetGroups[0]
	if *got.HealthCheckPath != "/up" || *got.Matcher.HttpCode != "200-204" || *got.HealthCheckPort != "81" || *got.HealthCheckIntervalSeconds != 30 {
		t.Errorf("after the change: %+v", got)
	}
}

func TestAttributesOfTargetGroupsAndBalancers(t *testing.T) {
	s := newBalancerSim(t)
	group, balancer := s.group("api", "HTTP"), s.balancer("flows", nlb)
	groupAttributes := func() map[string]string {
		found := map[string]string{}
		out := must(s.v2.DescribeTargetGroupAttributes(s.ctx, &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: &group}))
		for _, a := range out.Attributes {
			found[*a.Key] = aws.ToString(a.Value)
		}
		return found
	}
	if a := groupAttributes(); a["deregistration_delay.timeout_seconds"] != "300" || a["stickiness.enabled"] != "false" ||
		a["load_balancing.cross_zone.enabled"] != "use_load_balancer_configuration" || a["preserve_client_ip.enabled"] != "" {
		t.Errorf("the defaults are %v", a)
	}
	s.delay(group, "7")
	if a := groupAttributes(); a["deregistration_delay.timeout_seconds"] != "7" {
		t.Errorf("after the change: %v", a)
	}
	for _, bad := range [][2]string{{"deregistration_delay.timeout_seconds", "3601"}, {"no.such.key", "1"}, {"slow_start.duration_seconds", "30"},
		{"target_group_health.dns_failover.minimum_healthy_targets.count", "1001"}, {"stickiness.app_cookie.duration_seconds", "60"}} {
		_, err := s.v2.ModifyTargetGroupAttributes(s.ctx, &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &group,
			Attributes: []types.TargetGroupAttribute{{Key: &bad[0], Value: &bad[1]}}})
		wantError(t, err, 400, "InvalidConfigurationRequest", "")
	}
	must(s.v2.ModifyLoadBalancerAttributes(s.ctx, &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &balancer,
		Attributes: []types.LoadBalancerAttribute{{Key: aws.String("deletion_protection.enabled"), Value: aws.String("true")},
			{Key: aws.String("load_balancing.cross_zone.enabled"), Value: aws.String("true")}}}))
	out := must(s.v2.DescribeLoadBalancerAttributes(s.ctx, &elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &balancer}))
	i := slices.IndexFunc(out.Attributes, func(a types.LoadBalancerAttribute) bool { return *a.Key == "load_balancing.cross_zone.enabled" })
	if *out.Attributes[i].Value != "true" {
		t.Error("the second read does not show the change")
	}
	_, err := s.v2.DeleteLoadBalancer(s.ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &balancer})
	wantError(t, err, 400, "OperationNotPermitted", "Load balancer '"+balancer+"' cannot be deleted because deletion protection is enabled")
}

func TestLoadBalancerSettings(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.Provisioning = Span{time.Minute, time.Minute} })
	create := func(in elbv2.CreateLoadBalancerInput) error {
		in.Name = aws.String("lb")
		_, err := s.v2.CreateLoadBalancer(s.ctx, &in)
		return err
	}
	second := s.SeedSubnet(Subnet{AZ: "us-east-1a"})
	wantError(t, create(elbv2.CreateLoadBalancerInput{Subnets: s.site.Subnets[:1]}), 400, "ValidationError",
		"At least two subnets in two different Availability Zones must be specified")
	wantError(t, create(elbv2.CreateLoadBalancerInput{Subnets: []string{s.site.Subnets[0], second}}), 400, "InvalidConfigurationRequest",
		"A load balancer cannot be attached to multiple subnets in the same Availability Zone")
	wantError(t, create(elbv2.CreateLoadBalancerInput{Subnets: []string{s.site.Subnets[0], "subnet-1"}}), 400, "SubnetNotFound",
		"The subnet ID 'subnet-1' does not exist")
	wantError(t, create(elbv2.CreateLoadBalancerInput{Subnets: s.site.Subnets, Scheme: "x"}), 400, "InvalidScheme", "")
	wantError(t, create(elbv2.CreateLoadBalancerInput{Subnets: s.site.Subnets, SecurityGroups: []string{"sg-1"}}), 400, "InvalidSecurityGroup", "")
	wantError(t, create(elbv2.CreateLoadBalancerInput{Subnets: s.site.Subnets, Type: "gateway"}), 400, "InvalidConfigurationRequest", "")
	succeed(t, create(elbv2.CreateLoadBalancerInput{Subnets: s.site.Subnets, Scheme: "internal"}))
	find := func() types.LoadBalancer {
		return must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"lb"}})).LoadBalancers[0]
	}
	lb := find()
	if lb.State.Code != "provisioning" || lb.Type != alb || *lb.VpcId != s.site.VPC || len(lb.AvailabilityZones) != 3 || len(lb.SecurityGroups) != 1 ||
		!strings.HasPrefix(*lb.DNSName, "internal-lb-") {
		t.Errorf("described as %+v", lb)
	}
	s.clock.Advance(time.Minute)
	if lb := find(); lb.State.Code != "active" {
		t.Errorf("after a minute: %s", lb.State.Code)
	}
	_, err := s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"nope"}})
	wantError(t, err, 400, "LoadBalancerNotFound", "Load balancers '[nope]' not found")
	s.RemoveSubnet(s.site.Subnets[0])
	s.RemoveSecurityGroup(lb.SecurityGroups[0])
	if lb := find(); len(lb.AvailabilityZones) != 3 {
		t.Errorf("a deleted subnet took a zone away: %+v", lb)
	}
}

func TestListeners(t *testing.T) {
	s := newBalancerSim(t)
	balancer, other := s.balancer("web", alb), s.balancer("other", alb)
	blue, tcp := s.group("blue", "HTTP"), s.group("tcp", "TCP")
	listener := s.listener(balancer, 80, blue)
	create := func(lb string, port int32, protocol types.ProtocolEnum, actions []types.Action) error {
		_, err := s.v2.CreateListener(s.ctx, &elbv2.CreateListenerInput{LoadBalancerArn: &lb, Port: &port, Protocol: protocol, DefaultActions: actions})
		return err
	}
	wantError(t, create(other, 80, "HTTP", forward(blue)), 400, "TargetGroupAssociationLimit",
		"The following target groups cannot be associated with more than one load balancer: "+blue)
	wantError(t, create(balancer, 81, "HTTP", forward(tcp)), 400, "IncompatibleProtocols", "")
	wantError(t, create(balancer, 81, "TCP", forward(tcp)), 400, "UnsupportedProtocol", "")
	wantError(t, create(balancer, 81, "HTTP", forward(blue+"0")), 400, "TargetGroupNotFound", "One or more target groups not found")
	wantError(t, create(balancer, 81, "HTTP", forward(blue, blue)), 400, "ValidationError", "")
	var six []string
	for i := range 6 {
		six = append(six, s.group(fmt.Sprintf("g%d", i), "HTTP"))
	}
	wantError(t, create(balancer, 81, "HTTP", forward(six...)), 400, "ValidationError", "")
	succeed(t, create(balancer, 81, "HTTP", forward(six[:5]...)))

	_, err := s.v2.DeleteTargetGroup(s.ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &blue})
	wantError(t, err, 400, "ResourceInUse", "Target group '"+blue+"' is currently in use by a listener or a rule")
	_, err = s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, Port: aws.Int32(81)})
	wantError(t, err, 400, "ValidationError", "Listener port '81' is already in use")

	out := must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{LoadBalancerArn: &balancer}))
	if len(out.Listeners) != 2 {
		t.Fatalf("%d listeners", len(out.Listeners))
	}
	for _, l := range out.Listeners {
		a := l.DefaultActions[0]
		single := aws.ToString(a.TargetGroupArn) == blue && *a.ForwardConfig.TargetGroups[0].Weight == 1
		if *l.Port == 80 && !single || *l.Port == 81 && a.TargetGroupArn != nil {
			t.Errorf("listener %d: %+v", *l.Port, a)
		}
	}
	must(s.v2.DeleteListener(s.ctx, &elbv2.DeleteListenerInput{ListenerArn: &listener}))
	_, err = s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listener}})
	wantError(t, err, 400, "ListenerNotFound", "One or more listeners not found")
	must(s.v2.DeleteTargetGroup(s.ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &blue}))
	must(s.v2.DeleteLoadBalancer(s.ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &balancer}))
	must(s.v2.DeleteLoadBalancer(s.ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &balancer}))
	must(s.v2.DeleteTargetGroup(s.ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &six[0]}))
	groups := must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{})).TargetGroups
	balancers := must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{})).LoadBalancers
	if len(groups) != 6 || len(balancers) != 1 || *balancers[0].LoadBalancerArn != other {
		t.Errorf("left are %+v and %+v", groups, balancers)
	}
}
