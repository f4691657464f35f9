package localaws

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// path is a condition on the path.
func path(pattern string) []types.RuleCondition {
	return []types.RuleCondition{{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{pattern}}}}
}

func (s *balancerSim) rule(listener string, priority int32, conditions []types.RuleCondition, actions []types.Action) (types.Rule, error) {
	out, err := s.v2.CreateRule(s.ctx, &elbv2.CreateRuleInput{ListenerArn: &listener, Priority: &priority, Conditions: conditions, Actions: actions})
	if err != nil {
		return types.Rule{}, err
	}
	return out.Rules[0], nil
}

// priorities are those of a listener's rules, in the order that DescribeRules shows them.
func (s *balancerSim) priorities(listener string) (out []string) {
	for _, r := range must(s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{ListenerArn: &listener})).Rules {
		out = append(out, *r.Priority)
	}
	return out
}

func TestRules(t *testing.T) {
	s := newBalancerSim(t)
	balancer, blue, green := s.balancer("web", alb), s.group("blue", "HTTP"), s.group("green", "HTTP")
	listener := s.listener(balancer, 80, blue)
	ten := must(s.rule(listener, 10, path("/a/*"), forward(green)))
	five := must(s.rule(listener, 5, path("/b/*"), forward(blue, green)))
	if got := s.priorities(listener); !slices.Equal(got, []string{"5", "10", "default"}) {
		t.Errorf("priorities are %v", got)
	}
	_, err := s.rule(listener, 5, path("/c"), forward(blue))
	wantError(t, err, 400, "PriorityInUse", "Priority '5' is currently in use")
	_, err = s.rule(listener, 6, nil, forward(blue))
	if err == nil {
		t.Error("a rule without conditions was accepted")
	}
	_, err = s.rule(listener, 6, []types.RuleCondition{{Field: aws.String("moon"), Values: []string{"x"}}}, forward(blue))
	wantError(t, err, 400, "ValidationError", "")
	_, err = s.rule(listener, 6, []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"1", "2", "3", "4", "5", "6"}}}, forward(blue))
	wantError(t, err, 400, "ValidationError", "A rule can only have '5' condition values")

	swapped := must(s.v2.SetRulePriorities(s.ctx, &elbv2.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{
		{RuleArn: ten.RuleArn, Priority: aws.Int32(5)}, {RuleArn: five.RuleArn, Priority: aws.Int32(10)}}}))
	if len(swapped.Rules) != 2 {
		t.Errorf("%d rules in the answer", len(swapped.Rules))
	}
	found := must(s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{RuleArns: []string{*ten.RuleArn}})).Rules[0]
	if *found.Priority != "5" || *found.IsDefault || found.Conditions[0].PathPatternConfig.Values[0] != "/a/*" || found.Conditions[0].Values[0] != "/a/*" {
		t.Errorf("after the swap: %+v", found)
	}
	_, err = s.v2.SetRulePriorities(s.ctx, &elbv2.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{
		{RuleArn: ten.RuleArn, Priority: aws.Int32(10)}}})
	wantError(t, err, 400, "PriorityInUse", "Priority '10' is currently in use")

	must(s.v2.ModifyRule(s.ctx, &elbv2.ModifyRuleInput{RuleArn: ten.RuleArn, Actions: forward(blue)}))
	found = must(s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{RuleArns: []string{*ten.RuleArn}})).Rules[0]
	if *found.Actions[0].TargetGroupArn != blue || len(found.Conditions) != 1 {
		t.Errorf("only the actions were to change: %+v", found)
	}
	all := must(s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{ListenerArn: &listener})).Rules
	fallback := all[len(all)-1]
	_, err = s.v2.ModifyRule(s.ctx, &elbv2.ModifyRuleInput{RuleArn: fallback.RuleArn, Actions: forward(green)})
	wantError(t, err, 400, "OperationNotPermitted", "Default rule '"+*fallback.RuleArn+"' cannot be modified")
	_, err = s.v2.DeleteRule(s.ctx, &elbv2.DeleteRuleInput{RuleArn: fallback.RuleArn})
	wantError(t, err, 400, "OperationNotPermitted", "Default rule '"+*fallback.RuleArn+"' cannot be deleted")

	must(s.v2.DeleteRule(s.ctx, &elbv2.DeleteRuleInput{RuleArn: five.RuleArn}))
	_, err = s.v2.DeleteRule(s.ctx, &elbv2.DeleteRuleInput{RuleArn: five.RuleArn})
	wantError(t, err, 400, "RuleNotFound", "One or more rules not found")
	if got := s.priorities(listener); !slices.Equal(got, []string{"5", "default"}) {
		t.Errorf("priorities of the rules that are left: %v", got)
	}
	groups := must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{TargetGroupArns: []string{green}})).TargetGroups
	if len(groups[0].LoadBalancerArns) > 0 {
		t.Error("no rule names green any more, but it says that a load balancer uses it")
	}
	_, err = s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{})
	wantError(t, err, 400, "ValidationError", "You must specify either listener rule ARNs or a listener ARN")
}

func TestRuleActionsAndConditionsReadBack(t *testing.T) {
	s := newBalancerSim(t)
	balancer, blue := s.balancer("web", alb), s.group("blue", "HTTP")
	listener := s.listener(balancer, 80, blue)
	read := func(made types.Rule, err error) types.Rule {
		succeed(t, err)
		return must(s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{RuleArns: []string{*made.RuleArn}})).Rules[0]
	}
	conditions := []types.RuleCondition{
		{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"*.example.com"}}},
		{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{
			HttpHeaderName: aws.String("X-Preview"), Values: []string{"yes"}}},
		{Field: aws.String("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{
			Values: []types.QueryStringKeyValuePair{{Key: aws.String("v"), Value: aws.String("2")}}}},
		{Field: aws.String("http-request-method"), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: []string{"GET"}}},
		{Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"127.0.0.0/8"}}},
	}
	r := read(s.rule(listener, 1, conditions, []types.Action{{Type: "fixed-response", FixedResponseConfig: &types.FixedResponseActionConfig{
		StatusCode: aws.String("418"), ContentType: aws.String("text/plain"), MessageBody: aws.String("tea")}}}))
	if len(r.Conditions) != 5 || r.Conditions[0].HostHeaderConfig.Values[0] != "*.example.com" ||
		*r.Conditions[1].HttpHeaderConfig.HttpHeaderName != "X-Preview" ||
		*r.Conditions[2].QueryStringConfig.Values[0].Value != "2" || r.Conditions[3].HttpRequestMethodConfig.Values[0] != "GET" ||
		r.Conditions[4].SourceIpConfig.Values[0] != "127.0.0.0/8" || *r.Actions[0].FixedResponseConfig.MessageBody != "tea" {
		t.Errorf("read back as %+v", r)
	}
	r = read(s.rule(listener, 2, path("/old"), []types.Action{{Type: "redirect", RedirectConfig: &types.RedirectActionConfig{
		StatusCode: "HTTP_301", Path: aws.String("/new")}}}))
	if a := r.Actions[0].RedirectConfig; *a.Path != "/new" || *a.Host != "#{host}" || a.StatusCode != "HTTP_301" {
		t.Errorf("read back as %+v", a)
	}
	_, err := s.v2.ModifyRule(s.ctx, &elbv2.ModifyRuleInput{RuleArn: r.RuleArn, ResetTransforms: aws.Bool(true)})
	wantError(t, err, 400, "ValidationError", "The parameter ResetTransforms is not recognized")
}

func TestRulesReachNodesLater(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.RulePropagation = Span{3 * time.Second, 3 * time.Second} })
	balancer, blue, green := s.balancer("web", alb), s.group("blue", "HTTP"), s.group("green", "HTTP")
	listener := s.listener(balancer, 80, blue)
	follows := func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.realm(s.Realm.key).balancers.v2[balancer].nodes[0].adopted[80].routes[0].action.groups[0].arn
	}
	if follows() != blue {
		t.Error("a new listener is followed at once")
	}
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(green)}))
	shown := must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listener}}))
	if *shown.Listeners[0].DefaultActions[0].TargetGroupArn != green {
		t.Error("the control plane shows the change at once")
	}
	if took := s.until("followed", time.Minute, func() bool { return follows() == green }); took != 3*time.Second {
		t.Errorf("the node followed after %s", took)
	}
	// A later change that arrives first is not undone by an earlier one.
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(blue)}))
	s.Tune(func(k *Knobs) { k.Balancers.RulePropagation = Span{time.Second, time.Second} })
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(green)}))
	s.clock.Advance(time.Minute)
	if follows() != green {
		t.Error("an earlier change overtook a later one")
	}
}

func TestV2TagsAndPaging(t *testing.T) {
	s := newBalancerSim(t)
	var arns, names []string
	for i := range 5 {
		arns = append(arns, s.group(fmt.Sprintf("g-%d", i), "HTTP"))
	}
	pages := elbv2.NewDescribeTargetGroupsPaginator(s.v2, &elbv2.DescribeTargetGroupsInput{PageSize: aws.Int32(2)})
	for pages.HasMorePages() {
		for _, g := range must(pages.NextPage(s.ctx)).TargetGroups {
			names = append(names, *g.TargetGroupName)
		}
	}
	if !slices.Equal(names, []string{"g-0", "g-1", "g-2", "g-3", "g-4"}) {
		t.Errorf("pages show %v", names)
	}
	balancer := s.balancer("web", alb)
	listener := s.listener(balancer, 80, arns[0])
	r := must(s.rule(listener, 1, path("/"), forward(arns[1])))
	resources := []string{arns[0], balancer, listener, *r.RuleArn}
	must(s.v2.AddTags(s.ctx, &elbv2.AddTagsInput{ResourceArns: resources, Tags: []types.Tag{
		{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}}))
	must(s.v2.RemoveTags(s.ctx, &elbv2.RemoveTagsInput{ResourceArns: resources, TagKeys: []string{"a"}}))
	out := must(s.v2.DescribeTags(s.ctx, &elbv2.DescribeTagsInput{ResourceArns: resources}))
	for i, d := range out.TagDescriptions {
		if *d.ResourceArn != resources[i] || len(d.Tags) != 1 || *d.Tags[0].Key != "b" || *d.Tags[0].Value != "2" {
			t.Errorf("%s has %+v", *d.ResourceArn, d.Tags)
		}
	}
	_, err := s.v2.DescribeTags(s.ctx, &elbv2.DescribeTagsInput{ResourceArns: slices.Repeat([]string{balancer}, 21)})
	wantError(t, err, 400, "ValidationError", "")
	_, err = s.v2.DescribeTags(s.ctx, &elbv2.DescribeTagsInput{ResourceArns: []string{*r.RuleArn + "0"}})
	wantError(t, err, 400, "RuleNotFound", "One or more rules not found")
}

func TestPoolsAreTheTruthOfAllRealms(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	s.classic("web")
	s.RegisterAccessKey("AKIDOTHER", "210987654321")
	other := *s
	other.v2 = elbv2.NewFromConfig(s.config("AKIDOTHER", "eu-west-1"))
	s.In("210987654321", "eu-west-1").SeedVPC(s.site.VPC)
	other.group("api", "HTTP")
	var got []string
	for _, p := range s.Pools() {
		got = append(got, p.Account+" "+p.Region+" "+string(p.Kind)+" "+p.Name+" "+p.Balancer+" "+p.BalancerKind)
	}
	want := []string{"123456789012 us-east-1 targetGroup api api application", "123456789012 us-east-1 classic web web classic",
		"210987654321 eu-west-1 targetGroup api  "}
	if !slices.Equal(got, want) {
		t.Errorf("pools are %q, want %q", got, want)
	}
	if p := s.pool("api"); p.ARN != group || !p.CrossZone || !slices.Equal(p.Zones, []string{"us-east-1a", "us-east-1b"}) {
		t.Errorf("by name: %+v", p)
	}
}

// A node that still follows a rule goes on sending to the group that the rule named, though the group reads unused by then.
func TestNodesServeAGroupUntilTheyFollowTheChange(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.RulePropagation = Span{3 * time.Second, 9 * time.Second} })
	blue, green := s.group("blue", "HTTP"), s.group("green", "HTTP")
	balancer := s.balancer("web", alb)
	listener := s.listener(balancer, 80, blue)
	ids := s.servers(2, "", 0)
	s.enroll(blue, ids[0])
	s.enroll(green, ids[1])
	s.until("healthy", 20*time.Second, func() bool { return s.targetHealth(blue, ids[0]) == targetHealthy })
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(green)}))
	if got := s.targetHealth(blue, ids[0]); got != targetUnused {
		t.Errorf("once no rule names the group: %v", got)
	}
	if m := s.member(blue, ids[0]); !m.Receiving || m.State != "healthy" || s.pool(blue).Balancer != "web" {
		t.Errorf("no node has heard of the change, but the truth is %+v", m)
	}
	took := s.until("the last node has followed", 9*time.Second, func() bool { return !s.member(blue, ids[0]).Receiving })
	if took < 3*time.Second || s.pool(blue).Balancer != "" || s.member(blue, ids[0]).State != "unused" {
		t.Errorf("after %s: %+v", took, s.pool(blue))
	}
	// Another load balancer may have the group at once.
	other := s.balancer("other", alb)
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(blue)}))
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(green)}))
	s.listener(other, 80, blue)
	s.until("healthy", time.Minute, func() bool { return s.targetHealth(blue, ids[0]) == targetHealthy })
	if got := s.pool(blue).Balancer; got != "other" {
		t.Errorf("the group is served by %s", got)
	}
	must(s.v2.DeleteLoadBalancer(s.ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &other}))
	if p := s.pool(blue); p.Balancer != "" || p.Members[0].Receiving {
		t.Errorf("after its load balancer was deleted: %+v", p)
	}
}

// The first of three rules becomes the last. Rule by rule, a node may follow an order for a while that is neither.
func TestKnobPrioritiesArriveTogether(t *testing.T) {
	for together, want := range map[bool][]string{false: {"abc", "bac", "bca"}, true: {"abc", "bca"}} {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.PrioritiesArriveTogether = together })
		balancer := s.balancer("web", alb)
		listener := s.listener(balancer, 80, s.group("rest", "HTTP"))
		pairs := make([]types.RulePriorityPair, 3)
		for i, name := range []string{"a", "b", "c"} {
			r := must(s.rule(listener, int32(i+1), path("/"+name), forward(s.group(name, "HTTP"))))
			pairs[i] = types.RulePriorityPair{RuleArn: r.RuleArn, Priority: aws.Int32(int32((i+2)%3 + 1))}
		}
		s.clock.Advance(time.Minute)
		s.Tune(func(k *Knobs) { k.Balancers.RulePropagation = Span{time.Second, time.Minute} })
		seen := map[string]bool{s.routes(balancer)[0]: true}
		must(s.v2.SetRulePriorities(s.ctx, &elbv2.SetRulePrioritiesInput{RulePriorities: pairs}))
		s.until("all nodes follow the new order", time.Minute, func() bool {
			orders := s.routes(balancer)
			for _, order := range orders {
				seen[order] = true
			}
			return !slices.ContainsFunc(orders, func(order string) bool { return order != "bca" })
		})
		if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
			t.Errorf("together %v: nodes followed %v, want %v", together, got, want)
		}
	}
}

// routes are, for each node of a load balancer, the names of the groups that the rules on port 80 send to, but for the default.
func (s *balancerSim) routes(balancer string) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.realm(s.Realm.key).balancers.v2[balancer].nodes {
		order := ""
		for _, r := range n.adopted[80].routes {
			if len(r.conditions) > 0 {
				order += r.action.groups[0].pool.name
			}
		}
		out = append(out, order)
	}
	return out
}
