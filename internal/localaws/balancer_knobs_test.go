package localaws

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Each knob of load balancers that stands for something AWS's pages leave open is tried in both positions.

func TestKnobClassicAcceptsPending(t *testing.T) {
	slow := func(s *balancerSim) string {
		s.classic("web")
		return s.launch(1, withUserData("#localaws boot=30s configure=0s"))[0]
	}
	s := newBalancerSim(t)
	id := slow(s)
	_, err := s.elb.RegisterInstancesWithLoadBalancer(s.ctx, &elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: aws.String("web"), Instances: instances([]string{id})})
	wantError(t, err, 400, "InvalidInstance", "EC2 instance "+id+" is not in running state.")
	if n := len(s.pool("web").Members); n != 0 {
		t.Errorf("a refused registration left %d members", n)
	}
	s = newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicAcceptsPending = true })
	id = slow(s)
	s.register("web", id)
	if got := s.classicHealth("web", id); got != [3]string{"OutOfService", "Instance", "Instance is in pending state."} {
		t.Errorf("pending: %v", got)
	}
	s.until("running", time.Minute, func() bool { return s.classicHealth("web", id) == joining })
	s.until("in service", time.Minute, func() bool { return s.classicHealth("web", id) == inService })
	abroad := s.launch(1, withUserData("#localaws boot=30s configure=0s"), func(in *ec2.RunInstancesInput) {
		in.SubnetId = aws.String(s.SeedSubnet(Subnet{VPC: s.SeedVPC(""), AZ: zoneA}))
	})[0]
	_, err = s.elb.RegisterInstancesWithLoadBalancer(s.ctx, &elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: aws.String("web"), Instances: instances([]string{abroad})})
	wantError(t, err, 400, "InvalidInstance", "EC2 instance "+abroad+" is not in the same VPC as ELB.")
	if got := s.state(abroad); got != "pending" || len(s.pool("web").Members) != 1 {
		t.Errorf("refused in state %s, there are %d members", got, len(s.pool("web").Members))
	}
}

func TestKnobClassicDrainsByDefault(t *testing.T) {
	for _, on := range []bool{false, true} {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicDrainsByDefault = on })
		s.classic("web")
		out := must(s.elb.DescribeLoadBalancerAttributes(s.ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerName: aws.String("web")}))
		if d := out.LoadBalancerAttributes.ConnectionDraining; d.Enabled != on || on && *d.Timeout != 300 {
			t.Errorf("on %v: %+v", on, d)
		}
	}
}

func TestKnobClassicLeftReasonELB(t *testing.T) {
	for elbSays, want := range map[bool]string{false: "Instance", true: "ELB"} {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicLeftReasonELB = elbSays })
		s.classic("web")
		id := s.servers(1, "", 0)[0]
		s.register("web", id)
		s.deregister("web", id)
		if got := s.classicHealth("web", id); got != [3]string{"OutOfService", want, left[2]} {
			t.Errorf("left: %v", got)
		}
	}
}

func TestKnobClassicZoneLeaving(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicZoneLeaving = Span{20 * time.Second, 20 * time.Second} })
	s.classic("web")
	id := s.servers(1, "", 1)[0]
	s.register("web", id)
	s.until("in service", 20*time.Second, func() bool { return s.classicHealth("web", id) == inService })
	must(s.elb.DetachLoadBalancerFromSubnets(s.ctx, &elb.DetachLoadBalancerFromSubnetsInput{LoadBalancerName: aws.String("web"), Subnets: s.site.Subnets[1:2]}))
	if got := s.classicHealth("web", id); got != [3]string{"OutOfService", "ELB", "Disable Availability Zone is currently in progress."} {
		t.Errorf("while the zone leaves: %v", got)
	}
	s.clock.Advance(20 * time.Second)
	if got := s.classicHealth("web", id); got != [3]string{"OutOfService", "ELB", classicOtherZone} {
		t.Errorf("after that: %v", got)
	}
}

func TestKnobClassicUnknown(t *testing.T) {
	for share, want := range map[float64]int{0: 0, 1: 20} {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicUnknown = share })
		s.classic("web")
		id := s.servers(1, "", 0)[0]
		s.register("web", id)
		unknown := 0
		for range 20 {
			if s.classicHealth("web", id) == [3]string{"Unknown", "ELB", "A transient error occurred. Please try again later."} {
				unknown++
			}
		}
		if unknown != want {
			t.Errorf("share %v: %d of 20 answers were Unknown", share, unknown)
		}
	}
}

func TestKnobNetworkDeregistrationLag(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.NetworkDeregistrationLag = Span{2 * time.Minute, 2 * time.Minute} })
	web, flows := s.behind("web", alb), s.behind("flows", nlb)
	id := s.servers(1, "", 0)[0]
	for group, want := range map[string]time.Duration{web: 0, flows: 2 * time.Minute} {
		s.enroll(group, id)
		s.until("healthy", 310*time.Second, func() bool { return s.targetHealth(group, id) == targetHealthy })
		s.remove(group, id)
		if took := s.until("no requests", 3*time.Minute, func() bool { return !s.member(group, id).Receiving }); took != want {
			t.Errorf("%s: new connections came for %s, want %s", s.pool(group).Name, took, want)
		}
	}
}

// Network Load Balancers take weights since November 2025.
func TestKnobNetworkRefusesWeights(t *testing.T) {
	s := newBalancerSim(t)
	a, b := s.group("a", "TCP"), s.group("b", "TCP")
	balancer := s.balancer("flows", nlb)
	listener := s.listener(balancer, 80, a, b)
	shown := func() []types.Action {
		return must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listener}})).Listeners[0].DefaultActions
	}
	if n := len(shown()[0].ForwardConfig.TargetGroups); n != 2 {
		t.Errorf("the listener has %d groups", n)
	}
	s.Tune(func(k *Knobs) { k.Balancers.NetworkRefusesWeights = true })
	modify := func(actions []types.Action) error {
		_, err := s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: actions})
		return err
	}
	wantError(t, modify(forward(b, a)), 400, "ValidationError", "You cannot specify multiple target groups in a single action with a load balancer of type 'network'")
	wantError(t, modify(forward(b)), 400, "ValidationError", "You cannot specify a target group weight on load balancers of type 'network'")
	succeed(t, modify([]types.Action{{Type: "forward", TargetGroupArn: &b}}))
	if got := shown(); *got[0].TargetGroupArn != b {
		t.Errorf("%+v", got)
	}
}

func TestKnobDeleteMissingGroupFails(t *testing.T) {
	s := newBalancerSim(t)
	group := s.group("api", "HTTP")
	remove := func() error {
		_, err := s.v2.DeleteTargetGroup(s.ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &group})
		return err
	}
	gone := func() {
		_, err := s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{TargetGroupArns: []string{group}})
		wantError(t, err, 400, "TargetGroupNotFound", "One or more target groups not found")
	}
	succeed(t, remove())
	gone()
	succeed(t, remove())
	gone()
	s.Tune(func(k *Knobs) { k.Balancers.DeleteMissingGroupFails = true })
	wantError(t, remove(), 400, "ValidationError", "The target group '"+group+"' is not found")
}

func TestKnobDefaultRuleIsInvalid(t *testing.T) {
	for invalid, code := range map[bool]string{false: "OperationNotPermitted", true: "ValidationError"} {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.DefaultRuleIsInvalid = invalid })
		group := s.group("api", "HTTP")
		listener := s.listener(s.balancer("web", alb), 80, group)
		fallback := must(s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{ListenerArn: &listener})).Rules[0].RuleArn
		_, err := s.v2.ModifyRule(s.ctx, &elbv2.ModifyRuleInput{RuleArn: fallback, Actions: forward(group)})
		wantError(t, err, 400, code, "Default rule '"+*fallback+"' cannot be modified")
	}
}

// Groups of Network Load Balancers, of whose HTTP checks the pages agree, are not concerned.
func TestKnobHTTPChecksWaitSixSeconds(t *testing.T) {
	for six, want := range map[bool]int32{false: 5, true: 6} {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.HTTPChecksWaitSixSeconds = six })
		timeout := func(name string, protocol, checks types.ProtocolEnum) int32 {
			must(s.v2.CreateTargetGroup(s.ctx, &elbv2.CreateTargetGroupInput{Name: &name, Protocol: protocol, HealthCheckProtocol: checks,
				Port: aws.Int32(80), VpcId: &s.site.VPC}))
			made := must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{name}}))
			return *made.TargetGroups[0].HealthCheckTimeoutSeconds
		}
		if got := timeout("api", "HTTP", ""); got != want {
			t.Errorf("six %v: an HTTP group waits %d s, want %d", six, got, want)
		}
		if tcp, http := timeout("tcp", "TCP", "TCP"), timeout("http", "TCP", "HTTP"); tcp != 10 || http != 6 {
			t.Errorf("six %v: TCP groups wait %d s for a connection, and %d s for HTTP", six, tcp, http)
		}
	}
}

// A rule with several target groups needs stickiness for groups where one of them is sticky (Application Load Balancers
// guide; aws-load-balancer-controller issue 2734).
func TestStickyGroupsNeedAStickyRule(t *testing.T) {
	s := newBalancerSim(t)
	a, b := s.group("a", "HTTP"), s.group("b", "HTTP")
	listener := s.listener(s.balancer("web", alb), 80, a, b)
	stick := func() error {
		_, err := s.v2.ModifyTargetGroupAttributes(s.ctx, &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &a,
			Attributes: []types.TargetGroupAttribute{{Key: aws.String("stickiness.enabled"), Value: aws.String("true")}}})
		return err
	}
	rules := must(s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{ListenerArn: &listener})).Rules
	wantError(t, stick(), 400, "InvalidConfigurationRequest", "This target group appears behind a rule with group stickiness disabled ("+
		*rules[0].RuleArn+"). You must enable group stickiness before enabling target stickiness")
	sticky := forward(a, b)
	sticky[0].ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(60)}
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: sticky}))
	succeed(t, stick())
	_, err := s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(a, b)})
	wantError(t, err, 400, "InvalidConfigurationRequest", "")
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(a)}))
	rules = must(s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{ListenerArn: &listener})).Rules
	if len(rules) != 1 {
		t.Fatalf("%+v", rules)
	}
	if got := rules[0].Actions[0]; *got.TargetGroupArn != a || len(got.ForwardConfig.TargetGroups) != 1 {
		t.Errorf("%+v", rules)
	}
}

func TestBalancerQuotas(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) {
		k.Quotas = BalancerQuotas{GroupsPerBalancer: 2, TargetsPerApplication: 3, TargetsPerNetworkZone: 2, TargetsPerGroup: 3, Groups: 5,
			RulesPerBalancer: 1, ListenersPerBalancer: 2}
	})
	a, b, c := s.group("a", "HTTP"), s.group("b", "HTTP"), s.group("c", "HTTP")
	web := s.balancer("web", alb)
	listener := s.listener(web, 80, a, b)
	_, err := s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(a, b, c)})
	wantError(t, err, 400, "TooManyUniqueTargetGroupsPerLoadBalancer", "")
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(a, c)})) // b leaves, c comes
	s.listener(web, 81, a)
	_, err = s.v2.CreateListener(s.ctx, &elbv2.CreateListenerInput{LoadBalancerArn: &web, Port: aws.Int32(82), Protocol: "HTTP", DefaultActions: forward(a)})
	wantError(t, err, 400, "TooManyListeners", "")
	path := func(p string) []types.RuleCondition {
		return []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{p}}}
	}
	must(s.rule(listener, 1, path("/1"), forward(a)))
	_, err = s.rule(listener, 2, path("/2"), forward(a))
	wantError(t, err, 400, "TooManyRules", "")

	ids := s.servers(4, "", 0)
	s.enroll(a, ids[:2]...)
	s.enroll(c, ids[0])
	full := fmt.Sprintf("The maximum number of targets per load balancer '3' has been reached on load balancer '%s'", web)
	register := func(group string, ids ...string) error {
		_, err := s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: targets(ids)})
		return err
	}
	wantError(t, register(c, ids[1]), 400, "TooManyTargets", full)
	succeed(t, register(a, ids[0])) // it is there already
	wantError(t, register(b, ids...), 400, "TooManyTargets", "")
	succeed(t, register(b, ids[:3]...))
	_, err = s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(b)})
	wantError(t, err, 400, "TooManyTargets", full) // the rule and the other listener still send to a

	flows := s.behind("flows", nlb)
	succeed(t, register(flows, ids[:2]...))
	wantError(t, register(flows, ids[2]), 400, "TooManyTargets", "")
	succeed(t, register(flows, s.servers(1, "", 1)...)) // each zone counts by itself
	s.group("e", "TCP")
	_, err = s.v2.CreateTargetGroup(s.ctx, &elbv2.CreateTargetGroupInput{Name: aws.String("f"), Protocol: "TCP", Port: aws.Int32(80), VpcId: &s.site.VPC})
	wantError(t, err, 400, "TooManyTargetGroups", "")
	if n := len(must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{})).TargetGroups); n != 5 {
		t.Errorf("%d target groups", n)
	}
	for group, want := range map[string]int{a: 2, b: 3, c: 1, flows: 3} {
		if n := len(s.pool(group).Members); n != want {
			t.Errorf("%s has %d targets, want %d", group, n, want)
		}
	}
}

func TestQuotaOfClassicBalancers(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.Quotas.ClassicBalancers = 1 })
	s.classic("web")
	_, err := s.elb.CreateLoadBalancer(s.ctx, &elb.CreateLoadBalancerInput{LoadBalancerName: aws.String("more"), Subnets: s.site.Subnets[:1],
		Listeners: []elbtypes.Listener{{Protocol: aws.String("TCP"), LoadBalancerPort: 80, InstancePort: aws.Int32(80)}}})
	wantError(t, err, 400, "TooManyLoadBalancers", "")
	all := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{})).LoadBalancerDescriptions
	if len(all) != 1 || *all[0].LoadBalancerName != "web" {
		t.Errorf("%+v", all)
	}
}
