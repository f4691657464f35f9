package localaws

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Each bound is tried from both sides.
func TestBoundsOfGroupChecks(t *testing.T) {
	s := newBalancerSim(t)
	type input = elbv2.ModifyTargetGroupInput
	group := s.group("api", "HTTP")
	read := func() types.TargetGroup {
		return must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{TargetGroupArns: []string{group}})).TargetGroups[0]
	}
	base := func() *input {
		return &input{TargetGroupArn: &group, HealthCheckIntervalSeconds: aws.Int32(300), HealthCheckTimeoutSeconds: aws.Int32(2)}
	}
	for _, tc := range []struct {
		change func(*input)
		want   string // the refusal; empty: accepted
	}{
		{func(in *input) { in.HealthCheckIntervalSeconds = aws.Int32(4) }, "Health check interval '4' must be in the range 5-300"},
		{func(in *input) { in.HealthCheckIntervalSeconds = aws.Int32(5) }, ""},
		{func(in *input) { in.HealthCheckIntervalSeconds = aws.Int32(301) }, "Health check interval '301' must be in the range 5-300"},
		{func(in *input) { in.HealthCheckTimeoutSeconds = aws.Int32(1) }, "Health check timeout '1' must be in the range 2-120"},
		{func(in *input) { in.HealthCheckTimeoutSeconds = aws.Int32(120) }, ""},
		{func(in *input) { in.HealthCheckTimeoutSeconds = aws.Int32(121) }, "Health check timeout '121' must be in the range 2-120"},
		{func(in *input) { in.HealthyThresholdCount = aws.Int32(1) }, "Healthy threshold count '1' must be in the range 2-10"},
		{func(in *input) { in.HealthyThresholdCount = aws.Int32(11) }, "Healthy threshold count '11' must be in the range 2-10"},
		{func(in *input) { in.HealthyThresholdCount = aws.Int32(10) }, ""},
		{func(in *input) { in.UnhealthyThresholdCount = aws.Int32(1) }, "Unhealthy threshold count '1' must be in the range 2-10"},
		{func(in *input) { in.UnhealthyThresholdCount = aws.Int32(11) }, "Unhealthy threshold count '11' must be in the range 2-10"},
		{func(in *input) { in.Matcher = &types.Matcher{HttpCode: aws.String("199")} }, "Health check matcher HTTP code '199' must be within '200-499' inclusive"},
		{func(in *input) { in.Matcher = &types.Matcher{HttpCode: aws.String("500")} }, "Health check matcher HTTP code '500' must be within '200-499' inclusive"},
		{func(in *input) { in.Matcher = &types.Matcher{HttpCode: aws.String("200-499")} }, ""},
		{func(in *input) { in.HealthCheckEnabled = aws.Bool(false) },
			"Health check enabled must be true for target groups with target type 'instance' or 'ip'"},
	} {
		in, was := base(), read()
		tc.change(in)
		_, err := s.v2.ModifyTargetGroup(s.ctx, in)
		if code := map[bool]string{true: "InvalidConfigurationRequest", false: "ValidationError"}[in.HealthCheckEnabled != nil]; tc.want != "" {
			wantError(t, err, 400, code, tc.want)
			if got := read(); !reflect.DeepEqual(got, was) {
				t.Errorf("%s: the check changed from %+v to %+v", tc.want, was, got)
			}
		} else if succeed(t, err); *read().HealthCheckIntervalSeconds != *in.HealthCheckIntervalSeconds ||
			*read().HealthCheckTimeoutSeconds != *in.HealthCheckTimeoutSeconds || in.Matcher != nil && *read().Matcher.HttpCode != *in.Matcher.HttpCode {
			t.Errorf("the check reads %+v after %+v", read(), in)
		}
	}
}

func TestChecksOfNetworkGroups(t *testing.T) {
	s := newBalancerSim(t)
	create := func(name string, change func(*elbv2.CreateTargetGroupInput)) (types.TargetGroup, error) {
		in := &elbv2.CreateTargetGroupInput{Name: &name, Protocol: "TCP", Port: aws.Int32(80), VpcId: &s.site.VPC}
		change(in)
		out, err := s.v2.CreateTargetGroup(s.ctx, in)
		if err != nil {
			return types.TargetGroup{}, err
		}
		return out.TargetGroups[0], nil
	}
	tcp := must(create("tcp", func(*elbv2.CreateTargetGroupInput) {}))
	if tcp.HealthCheckProtocol != "TCP" || *tcp.HealthCheckTimeoutSeconds != 10 || tcp.Matcher != nil || tcp.HealthCheckPath != nil {
		t.Errorf("checked by connections: %+v", tcp)
	}
	http := must(create("http", func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckProtocol = "HTTP" }))
	if *http.Matcher.HttpCode != "200-399" || *http.HealthCheckTimeoutSeconds != 6 || *http.HealthCheckPath != "/" {
		t.Errorf("checked over HTTP: %+v", http)
	}
	for codes, ok := range map[string]bool{"200-599": true, "600": false} {
		_, err := create("matcher", func(in *elbv2.CreateTargetGroupInput) {
			in.HealthCheckProtocol, in.Matcher = "HTTP", &types.Matcher{HttpCode: &codes}
		})
		if ok {
			succeed(t, err)
		} else {
			wantError(t, err, 400, "ValidationError", "Health check matcher HTTP code '600' must be within '200-599' inclusive")
		}
	}
	all := must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{})).TargetGroups
	if len(all) != 3 || *all[0].Matcher.HttpCode != "200-399" || *all[1].Matcher.HttpCode != "200-599" || all[2].Matcher != nil {
		t.Errorf("http, matcher and tcp read %+v", all)
	}
}

func TestBoundsOfForwardActions(t *testing.T) {
	s := newBalancerSim(t)
	a, b := s.group("a", "HTTP"), s.group("b", "HTTP")
	balancer := s.balancer("web", alb)
	listener := s.listener(balancer, 80, a)
	modify := func(change func(*types.Action)) error {
		actions := forward(a, b)
		change(&actions[0])
		_, err := s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: actions})
		return err
	}
	weight := func(n int32) func(*types.Action) {
		return func(x *types.Action) { x.ForwardConfig.TargetGroups[0].Weight = &n }
	}
	sticky := func(seconds int32) func(*types.Action) {
		return func(x *types.Action) {
			x.ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: &seconds}
		}
	}
	for _, tc := range []struct {
		change        func(*types.Action)
		code, message string
	}{
		{weight(-1), "ValidationError", "The weight for each target group must be between 0 and 999, inclusive"},
		{weight(1000), "ValidationError", "The weight for each target group must be between 0 and 999, inclusive"},
		{weight(0), "", ""},
		{weight(999), "", ""},
		{sticky(0), "ValidationError", "Target group stickiness duration '0' must be in the range 1-604800 seconds"},
		{sticky(604801), "ValidationError", "Target group stickiness duration '604801' must be in the range 1-604800 seconds"},
		{sticky(604800), "", ""},
		{func(x *types.Action) { x.TargetGroupArn = &a }, "InvalidLoadBalancerAction", ""}, // beside two groups
		{func(x *types.Action) {
			x.TargetGroupArn, x.ForwardConfig.TargetGroups = &a, x.ForwardConfig.TargetGroups[1:]
		}, "InvalidLoadBalancerAction", ""},
		{func(x *types.Action) {
			x.TargetGroupArn, x.ForwardConfig.TargetGroups = &b, x.ForwardConfig.TargetGroups[1:]
		}, "", ""},
	} {
		if err := modify(tc.change); tc.code != "" {
			wantError(t, err, 400, tc.code, tc.message)
		} else {
			succeed(t, err)
		}
	}
	shown := must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listener}})).Listeners[0].DefaultActions[0]
	if *shown.TargetGroupArn != b || len(shown.ForwardConfig.TargetGroups) != 1 {
		t.Errorf("the last change reads %+v", shown)
	}
	_, err := s.v2.ModifyLoadBalancerAttributes(s.ctx, &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &balancer,
		Attributes: []types.LoadBalancerAttribute{{Key: aws.String("load_balancing.cross_zone.enabled"), Value: aws.String("false")}}})
	wantError(t, err, 400, "InvalidConfigurationRequest", "") // always on for an Application Load Balancer
}

func TestRegisteringAgainChangesNothing(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	s.delay(group, "10")
	id := s.servers(1, "", 0)[0]
	s.enroll(group, id)
	s.until("healthy", 10*time.Second, func() bool { return s.targetHealth(group, id) == targetHealthy })
	joined := s.member(group, id).Joined
	s.enroll(group, id)
	if got := s.targetHealth(group, id); got != targetHealthy || !s.member(group, id).Joined.Equal(joined) {
		t.Errorf("registered again: %v", got)
	}
	listed := func() (ports []string) {
		out := must(s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group}))
		for _, d := range out.TargetHealthDescriptions {
			ports = append(ports, fmt.Sprintf("%d checked on %s", *d.Target.Port, *d.HealthCheckPort))
		}
		return ports
	}
	must(s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: []types.TargetDescription{{Id: &id, Port: aws.Int32(8081)}}}))
	if got := fmt.Sprint(listed()); got != "[80 checked on 80 8081 checked on 8081]" {
		t.Errorf("its targets are %s", got)
	}
	s.remove(group, id)
	s.clock.Advance(10 * time.Second)
	if got := fmt.Sprint(listed()); got != "[8081 checked on 8081]" {
		t.Errorf("after one left its targets are %s", got)
	}
	if got := s.targetHealth(group, id); got != targetAbsent {
		t.Errorf("asked for by name: %v", got)
	}
}

// What an idle connection is given: the defaults of each kind.
func TestIdleTimesOfLoadBalancers(t *testing.T) {
	s := newBalancerSim(t)
	s.behind("web", alb)
	s.behind("flows", nlb)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.realm(s.Realm.key).balancers
	if f := b.v2Named("web").fronts[80]; f.idle != time.Hour || f.patience != time.Minute {
		t.Errorf("application: a silent client has %s, a silent request %s", f.idle, f.patience)
	}
	if f := b.v2Named("flows").fronts[80]; f.idle != 350*time.Second {
		t.Errorf("network: a silent flow has %s", f.idle)
	}
}

func TestQuotasOfNetworkBalancers(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.Quotas = BalancerQuotas{TargetsPerNetwork: 4, TargetsPerNetworkZone: 2} })
	group := s.group("flows", "TCP")
	balancer := s.balancer("flows", nlb)
	s.listener(balancer, 80, group)
	a, b := s.servers(3, "", 0), s.servers(3, "", 1)
	register := func(ids ...string) error {
		_, err := s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: targets(ids)})
		return err
	}
	full := func(limit int) string {
		return fmt.Sprintf("The maximum number of targets per load balancer '%d' has been reached on load balancer '%s'", limit, balancer)
	}
	crossZone := func(on string) {
		must(s.v2.ModifyLoadBalancerAttributes(s.ctx, &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &balancer,
			Attributes: []types.LoadBalancerAttribute{{Key: aws.String("load_balancing.cross_zone.enabled"), Value: &on}}}))
	}
	succeed(t, register(a[0], b[0]))
	crossZone("true")
	wantError(t, register(a[1]), 400, "TooManyTargets", full(2)) // both zones count together
	crossZone("false")
	succeed(t, register(a[1], b[1]))
	s.Tune(func(k *Knobs) { k.Balancers.Quotas.TargetsPerNetworkZone = 0 })
	wantError(t, register(a[2]), 400, "TooManyTargets", full(4))
	if n := len(s.pool(group).Members); n != 4 {
		t.Errorf("it has %d targets", n)
	}
}

// The figures of the guides' pages of quotas.
func TestQuotasAreAWSs(t *testing.T) {
	want := BalancerQuotas{GroupsPerBalancer: 100, TargetsPerApplication: 1000, TargetsPerNetwork: 3000, TargetsPerNetworkZone: 500,
		TargetsPerGroup: 1000, Groups: 3000, RulesPerBalancer: 100, ListenersPerBalancer: 50, ClassicBalancers: 20}
	if got := newSim(t).Knobs().Balancers.Quotas; got != want {
		t.Errorf("%+v", got)
	}
}

// What Describe calls tell of a target trails what the nodes do by HealthLag.
func TestHealthOfTargetsMayBeShownLate(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.HealthLag = Span{7 * time.Second, 7 * time.Second} })
	group := s.behind("api", alb)
	id := s.servers(1, "", 0)[0]
	s.enroll(group, id)
	s.until("healthy", 10*time.Second, func() bool { return s.pool(group).Healthy == 1 })
	if got := s.targetHealth(group, id); got != targetChecking {
		t.Errorf("at once: %v", got)
	}
	if took := s.until("shown", time.Minute, func() bool { return s.targetHealth(group, id) == targetHealthy }); took != 7*time.Second {
		t.Errorf("it was shown after %s", took)
	}
}

// What belongs to another type of action would be ignored, so that the rule would not be the one that was asked for.
func TestActionsRefuseWhatTheyDoNotUse(t *testing.T) {
	s := newBalancerSim(t)
	group := s.group("a", "HTTP")
	listener := s.listener(s.balancer("web", alb), 80, group)
	fixed := func() types.Action {
		return types.Action{Type: "fixed-response", FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("200")}}
	}
	redirected := &types.RedirectActionConfig{StatusCode: "HTTP_301", Host: aws.String("example.com")}
	off := func(seconds int32) func(*types.Action) {
		return func(x *types.Action) {
			x.Type, x.FixedResponseConfig = "forward", nil
			x.ForwardConfig = &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &group}},
				TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(false), DurationSeconds: &seconds}}
		}
	}
	order := func(n int32) func(*types.Action) { return func(x *types.Action) { x.Order = &n } }
	read := func() types.Action {
		return must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listener}})).Listeners[0].DefaultActions[0]
	}
	for _, tc := range []struct {
		change func(*types.Action)
		want   string // the refusal; empty: accepted
	}{
		{func(x *types.Action) { x.TargetGroupArn = &group }, "TargetGroupArn cannot be specified with the action type 'fixed-response'"},
		{func(x *types.Action) { x.RedirectConfig = redirected }, "RedirectConfig cannot be specified with the action type 'fixed-response'"},
		{func(x *types.Action) { x.Type, x.RedirectConfig = "redirect", redirected },
			"FixedResponseConfig cannot be specified with the action type 'redirect'"},
		{func(x *types.Action) { x.Type, x.TargetGroupArn = "forward", &group }, "FixedResponseConfig cannot be specified with the action type 'forward'"},
		{order(0), "Action order '0' must be in the range 1-50000"},
		{order(1), ""},
		{order(50000), ""},
		{order(50001), "Action order '50001' must be in the range 1-50000"},
		{off(0), "Target group stickiness duration '0' must be in the range 1-604800 seconds"},
		{off(1), ""},
		{off(604801), "Target group stickiness duration '604801' must be in the range 1-604800 seconds"},
	} {
		x, was := fixed(), read()
		tc.change(&x)
		_, err := s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: []types.Action{x}})
		if tc.want != "" {
			wantError(t, err, 400, "ValidationError", tc.want)
			if got := read(); !reflect.DeepEqual(got, was) {
				t.Errorf("%s: the listener changed from %+v to %+v", tc.want, was, got)
			}
		} else if succeed(t, err); read().Type != x.Type {
			t.Errorf("%s reads %+v", x.Type, read())
		}
	}
}

// A change of a load balancer has at most 20 attributes, and then all of them or none.
func TestTwentyAttributesOfALoadBalancer(t *testing.T) {
	s := newBalancerSim(t)
	balancer := s.balancer("web", alb)
	modify := func(n int, idle string) error {
		attributes := slices.Repeat([]types.LoadBalancerAttribute{{Key: aws.String(idleAttribute), Value: &idle}}, n)
		_, err := s.v2.ModifyLoadBalancerAttributes(s.ctx, &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &balancer, Attributes: attributes})
		return err
	}
	succeed(t, modify(20, "70"))
	wantError(t, modify(21, "80"), 400, "ValidationError",
		"1 validation error detected: Value at 'Attributes' failed to satisfy constraint: Member must have length less than or equal to 20")
	out := must(s.v2.DescribeLoadBalancerAttributes(s.ctx, &elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &balancer}))
	for _, a := range out.Attributes {
		if *a.Key == idleAttribute && *a.Value != "70" {
			t.Errorf("the idle timeout is %s, want that of the call with 20", *a.Value)
		}
	}
}
