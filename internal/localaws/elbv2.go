package localaws

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// loadBalancer is an Application or Network Load Balancer (API version 2015-12-01). Guarded by Cloud.mu.
type loadBalancer struct {
	balancer

	dnsName       string
	scheme        string
	vpcID         string
	ipAddressType string
	groups        []string
	created       time.Time
	active        time.Time // until then its state is provisioning
	attrs         map[string]string
	tags          map[string]string
	listeners     []*listener // by port
}

// targetGroup is a group of instances or of addresses. Guarded by Cloud.mu.
type targetGroup struct {
	realm    *realm
	name     string
	arn      string
	kind     string // what its targets are: instance or ip
	protocol string // HTTP or TCP
	port     int
	vpcID    string
	pool     *pool
	attrs    map[string]string
	tags     map[string]string
	lb       *loadBalancer // whose listeners or rules name the group; nil if none do
	fading   *loadBalancer // whose rules do not any more, but some of whose nodes have not heard of that
}

// listener is one port of a load balancer, with its rules.
type listener struct {
	lb       *loadBalancer
	arn      string
	protocol string // HTTP or TCP
	port     int
	tags     map[string]string
	rules    []*rule // by priority; the default rule is the last
}

// rule is what a listener does with requests that match.
type rule struct {
	listener   *listener
	arn        string
	priority   int // 0: the default rule
	conditions []condition
	actions    []action
	tags       map[string]string
}

// elbv2Operations is the API of Application and Network Load Balancers and target groups.
func elbv2Operations() map[string]operation {
	all := map[string]operation{}
	for _, table := range []map[string]operation{loadBalancerOperations(), targetGroupOperations(), listenerOperations(), ruleOperations()} {
		maps.Copy(all, table)
	}
	all["AddTags"] = writing(addV2Tags, "ResourceArns.member.N!", "Tags.member.N.Key!", "Tags.member.N.Value")
	all["RemoveTags"] = writing(removeV2Tags, "ResourceArns.member.N!", "TagKeys.member.N!")
	all["DescribeTags"] = reading(describeV2Tags, "ResourceArns.member.N!")
	all["DescribeAccountLimits"] = reading(describeLimits(v2Limits), "Marker", "PageSize:int")
	return all
}

func writing(run func(*Cloud, *call) (any, *apiError), params ...string) operation {
	return operation{params: params, mutates: true, run: run}
}

func reading(run func(*Cloud, *call) (any, *apiError), params ...string) operation {
	return operation{params: params, run: run}
}

func loadBalancerOperations() map[string]operation {
	return map[string]operation{
		"CreateLoadBalancer": writing(createLoadBalancer, "Name!", "Subnets.member.N", "SubnetMappings.member.N.SubnetId",
			"SecurityGroups.member.N", "Scheme", "Type", "IpAddressType", "Tags.member.N.Key", "Tags.member.N.Value"),
		"DeleteLoadBalancer":    writing(deleteLoadBalancer, "LoadBalancerArn!"),
		"DescribeLoadBalancers": reading(describeLoadBalancers, "LoadBalancerArns.member.N", "Names.member.N", "Marker", "PageSize:int"),
		"SetSubnets":            writing(setSubnets, "LoadBalancerArn!", "Subnets.member.N", "SubnetMappings.member.N.SubnetId"),

		"DescribeLoadBalancerAttributes": reading(describeLoadBalancerAttributes, "LoadBalancerArn!"),
		"ModifyLoadBalancerAttributes": writing(modifyLoadBalancerAttributes, "LoadBalancerArn!",
			"Attributes.member.N.Key!", "Attributes.member.N.Value"),
	}
}

func targetGroupOperations() map[string]operation {
	check := []string{
		"HealthCheckEnabled:bool", "HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath",
		"HealthCheckIntervalSeconds:int", "HealthCheckTimeoutSeconds:int", "HealthyThresholdCount:int",
		"UnhealthyThresholdCount:int", "Matcher.HttpCode",
	}
	targets := []string{"TargetGroupArn!", "Targets.member.N.Id!", "Targets.member.N.Port:int"}
	return map[string]operation{
		"CreateTargetGroup": writing(createTargetGroup, append(slices.Clone(check), "Name!", "Protocol", "ProtocolVersion",
			"Port:int", "VpcId", "TargetType", "IpAddressType", "Tags.member.N.Key", "Tags.member.N.Value")...),
		"ModifyTargetGroup": writing(modifyTargetGroup, append(slices.Clone(check), "TargetGroupArn!")...),
		"DeleteTargetGroup": writing(deleteTargetGroup, "TargetGroupArn!"),
		"DescribeTargetGroups": reading(describeTargetGroups, "LoadBalancerArn", "TargetGroupArns.member.N", "Names.member.N",
			"Marker", "PageSize:int"),

		"DescribeTargetGroupAttributes": reading(describeTargetGroupAttributes, "TargetGroupArn!"),
		"ModifyTargetGroupAttributes": writing(modifyTargetGroupAttributes, "TargetGroupArn!",
			"Attributes.member.N.Key!", "Attributes.member.N.Value"),

		"RegisterTargets":   writing(registerTargets, append(slices.Clone(targets), "Targets.member.N.AvailabilityZone")...),
		"DeregisterTargets": writing(deregisterTargets, targets...),
		"DescribeTargetHealth": reading(describeTargetHealth, "TargetGroupArn!", "Targets.member.N.Id",
			"Targets.member.N.Port:int"),
	}
}

func listenerOperations() map[string]operation {
	return map[string]operation{
		"CreateListener": writing(createListener, append(actionParams("DefaultActions"), "LoadBalancerArn!", "Protocol",
			"Port:int", "DefaultActions.member.N.Type!", "Tags.member.N.Key", "Tags.member.N.Value")...),
		"ModifyListener": writing(modifyListener, append(actionParams("DefaultActions"), "ListenerArn!", "Protocol",
			"Port:int")...),
		"DeleteListener": writing(deleteListener, "ListenerArn!"),
		"DescribeListeners": reading(describeListeners, "LoadBalancerArn", "ListenerArns.member.N", "Marker",
			"PageSize:int"),
	}
}

func ruleOperations() map[string]operation {
	return map[string]operation{
		"CreateRule": writing(createRule, append(append(actionParams("Actions"), conditionParams()...), "ListenerArn!",
			"Priority:int!", "Actions.member.N.Type!", "Conditions.member.N.Field!", "Tags.member.N.Key", "Tags.member.N.Value")...),
		"ModifyRule": writing(modifyRule, append(append(actionParams("Actions"), conditionParams()...), "RuleArn!")...),
		"DeleteRule": writing(deleteRule, "RuleArn!"),
		"SetRulePriorities": writing(setRulePriorities, "RulePriorities.member.N.RuleArn!",
			"RulePriorities.member.N.Priority:int!"),
		"DescribeRules": reading(describeRules, "ListenerArn", "RuleArns.member.N", "Marker", "PageSize:int"),
	}
}

// The look-ups. A name that is no ARN at all is refused as AWS does it; the other texts are AWS's too
// (hashicorp/terraform-provider-aws issue 10669, aws/copilot-cli issue 3660).

func notAnARN(arn, what string) *apiError {
	if strings.HasPrefix(arn, "arn:") {
		return nil
	}
	return refuse("ValidationError", "'%s' is not a valid %s ARN", arn, what)
}

func (q *call) loadBalancer(arn string) (*loadBalancer, *apiError) {
	if err := notAnARN(arn, "load balancer"); err != nil {
		return nil, err
	}
	if lb, ok := q.realm.balancers.v2[arn]; ok {
		return lb, nil
	}
	return nil, refuse("LoadBalancerNotFound", "Load balancers '[%s]' not found", arn)
}

func (q *call) targetGroup(arn string) (*targetGroup, *apiError) {
	if err := notAnARN(arn, "target group"); err != nil {
		return nil, err
	}
	if tg, ok := q.realm.balancers.groups[arn]; ok {
		return tg, nil
	}
	return nil, refuse("TargetGroupNotFound", "One or more target groups not found")
}

func (q *call) listener(arn string) (*listener, *apiError) {
	if err := notAnARN(arn, "listener"); err != nil {
		return nil, err
	}
	if l, ok := q.realm.balancers.listeners[arn]; ok {
		return l, nil
	}
	return nil, refuse("ListenerNotFound", "One or more listeners not found")
}

func (q *call) rule(arn string) (*rule, *apiError) {
	if err := notAnARN(arn, "listener rule"); err != nil {
		return nil, err
	}
	if r, ok := q.realm.balancers.rules[arn]; ok {
		return r, nil
	}
	return nil, refuse("RuleNotFound", "One or more rules not found")
}
