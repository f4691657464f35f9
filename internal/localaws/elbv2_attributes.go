package localaws

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// attribute is one key of ModifyLoadBalancerAttributes or ModifyTargetGroupAttributes.
type attribute struct {
	key string
	// of are the kinds that have it: application or network load balancers; target groups by protocol.
	of []string
	// initial is the default, after the SDK documentation of LoadBalancerAttribute and TargetGroupAttribute.
	initial string
	// valid tells whether a value is in AWS's range.
	valid func(string) bool
	// fixed says that only the default is simulated; other values are refused by name.
	fixed bool
}

type attributeTable []attribute

func (t attributeTable) defaults(kind string) map[string]string {
	out := map[string]string{}
	for _, a := range t {
		if slices.Contains(a.of, kind) {
			out[a.key] = a.initial
		}
	}
	return out
}

// change validates the call's attributes and returns the new set; the old one is not touched.
func (t attributeTable) change(q *call, kind string, present map[string]string) (map[string]string, *apiError) {
	out := maps.Clone(present)
	for _, p := range q.structs("Attributes") {
		key, value := p.str("Key"), p.str("Value")
		i := slices.IndexFunc(t, func(a attribute) bool { return a.key == key && slices.Contains(a.of, kind) })
		switch {
		case i < 0:
			return nil, refuse("InvalidConfigurationRequest", "The key '%s' is not an attribute of this resource, or is not simulated here", key)
		case !t[i].valid(value):
			return nil, refuse("InvalidConfigurationRequest", "The value '%s' of the attribute '%s' is not valid", value, key)
		case t[i].fixed && value != t[i].initial:
			return nil, refuse("InvalidConfigurationRequest", "The value '%s' of the attribute '%s' is not simulated here; only '%s' is",
				value, key, t[i].initial)
		}
		out[key] = value
	}
	return out, nil
}

func oneOf(values ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(values, s) }
}

func numberIn(lo, hi int) func(string) bool {
	return func(s string) bool {
		n, err := strconv.Atoi(s)
		return err == nil && n >= lo && n <= hi
	}
}

func either(a, b func(string) bool) func(string) bool {
	return func(s string) bool { return a(s) || b(s) }
}

func anyText(string) bool { return true }

var (
	albAndNLB  = []string{string(application), string(network)}
	albOnly    = []string{string(application)}
	nlbOnly    = []string{string(network)}
	isBool     = oneOf("true", "false")
	httpAndTCP = []string{"HTTP", "TCP"}
	httpOnly   = []string{"HTTP"}
	tcpOnly    = []string{"TCP"}
	off        = oneOf("off")
)

var loadBalancerAttributes = attributeTable{
	{key: "deletion_protection.enabled", of: albAndNLB, initial: "false", valid: isBool},
	{key: crossZoneAttribute, of: albOnly, initial: "true", valid: isBool, fixed: true},
	{key: crossZoneAttribute, of: nlbOnly, initial: "false", valid: isBool},
	{key: "access_logs.s3.enabled", of: albAndNLB, initial: "false", valid: isBool, fixed: true},
	{key: "access_logs.s3.bucket", of: albAndNLB, valid: anyText},
	{key: "access_logs.s3.prefix", of: albAndNLB, valid: anyText},
	{key: "ipv6.deny_all_igw_traffic", of: albAndNLB, initial: "false", valid: isBool, fixed: true},
	{key: zonalShiftAttribute, of: albAndNLB, initial: "false", valid: isBool},
	{key: idleAttribute, of: albOnly, initial: "60", valid: numberIn(1, 4000)},
	{key: keepAliveAttribute, of: albOnly, initial: "3600", valid: numberIn(60, 604800)},
	{key: "connection_logs.s3.enabled", of: albOnly, initial: "false", valid: isBool, fixed: true},
	{key: "connection_logs.s3.bucket", of: albOnly, valid: anyText},
	{key: "connection_logs.s3.prefix", of: albOnly, valid: anyText},
	{key: "routing.http.desync_mitigation_mode", of: albOnly, initial: "defensive", valid: oneOf("monitor", "defensive", "strictest"), fixed: true},
	{key: "routing.http.drop_invalid_header_fields.enabled", of: albOnly, initial: "false", valid: isBool, fixed: true},
	{key: "routing.http.preserve_host_header.enabled", of: albOnly, initial: "false", valid: isBool, fixed: true},
	{key: "routing.http.x_amzn_tls_version_and_cipher_suite.enabled", of: albOnly, initial: "false", valid: isBool, fixed: true},
	{key: "routing.http.xff_client_port.enabled", of: albOnly, initial: "false", valid: isBool, fixed: true},
	{key: "routing.http.xff_header_processing.mode", of: albOnly, initial: "append", valid: oneOf("append", "preserve", "remove"), fixed: true},
	{key: "routing.http2.enabled", of: albOnly, initial: "true", valid: isBool, fixed: true},
	{key: "waf.fail_open.enabled", of: albOnly, initial: "false", valid: isBool, fixed: true},
	{key: "dns_record.client_routing_policy", of: nlbOnly, initial: "any_availability_zone", fixed: true,
		valid: oneOf("any_availability_zone", "availability_zone_affinity", "partial_availability_zone_affinity")},
}

// The attributes that decide something here.
const (
	crossZoneAttribute     = "load_balancing.cross_zone.enabled"
	dnsMinimumAttribute    = "target_group_health.dns_failover.minimum_healthy_targets.count"
	dnsPercentageAttribute = "target_group_health.dns_failover.minimum_healthy_targets.percentage"
	zonalShiftAttribute    = "zonal_shift.config.enabled"
	idleAttribute          = "idle_timeout.timeout_seconds"
	keepAliveAttribute     = "client_keep_alive.seconds"
	delayAttribute         = "deregistration_delay.timeout_seconds"
	terminationAttribute   = "deregistration_delay.connection_termination.enabled"
	severAttribute         = "target_health_state.unhealthy.connection_termination.enabled"
	minimumAttribute       = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"
	percentageAttribute    = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage"
	stickyAttribute        = "stickiness.enabled"
	stickyTypeAttribute    = "stickiness.type"
	stickyForAttribute     = "stickiness.lb_cookie.duration_seconds"
)

var targetGroupAttributes = attributeTable{
	{key: delayAttribute, of: httpAndTCP, initial: "300", valid: numberIn(0, 3600)},
	{key: crossZoneAttribute, of: httpAndTCP, initial: "use_load_balancer_configuration",
		valid: oneOf("true", "false", "use_load_balancer_configuration")},
	{key: dnsMinimumAttribute, of: httpAndTCP, initial: "1",
		valid: either(off, numberIn(1, 1000))},
	{key: dnsPercentageAttribute, of: httpAndTCP, initial: "off",
		valid: either(off, numberIn(1, 100))},
	{key: minimumAttribute, of: httpAndTCP, initial: "1", valid: numberIn(1, 1000)},
	{key: percentageAttribute, of: httpAndTCP, initial: "off", valid: either(off, numberIn(1, 100))},
	{key: stickyAttribute, of: httpOnly, initial: "false", valid: isBool},
	{key: stickyTypeAttribute, of: httpOnly, initial: "lb_cookie", valid: oneOf("lb_cookie", "app_cookie"), fixed: true},
	{key: stickyForAttribute, of: httpOnly, initial: "86400", valid: numberIn(1, 604800)},
	{key: "stickiness.app_cookie.cookie_name", of: httpOnly, valid: func(s string) bool { return !strings.HasPrefix(s, "AWSALB") }},
	{key: "stickiness.app_cookie.duration_seconds", of: httpOnly, initial: "86400", valid: numberIn(1, 604800), fixed: true},
	{key: "load_balancing.algorithm.type", of: httpOnly, initial: "round_robin", fixed: true,
		valid: oneOf("round_robin", "least_outstanding_requests", "weighted_random")},
	{key: "load_balancing.algorithm.anomaly_mitigation", of: httpOnly, initial: "off", valid: oneOf("on", "off"), fixed: true},
	{key: "slow_start.duration_seconds", of: httpOnly, initial: "0", valid: either(oneOf("0"), numberIn(30, 900)), fixed: true},
	{key: stickyAttribute, of: tcpOnly, initial: "false", valid: isBool, fixed: true},
	{key: stickyTypeAttribute, of: tcpOnly, initial: "source_ip", valid: oneOf("source_ip")},
	{key: terminationAttribute, of: tcpOnly, initial: "false", valid: isBool},
	{key: "preserve_client_ip.enabled", of: tcpOnly, initial: "true", valid: isBool, fixed: true},
	{key: "proxy_protocol_v2.enabled", of: tcpOnly, initial: "false", valid: isBool, fixed: true},
	{key: severAttribute, of: tcpOnly, initial: "true", valid: isBool},
	{key: "target_health_state.unhealthy.draining_interval_seconds", of: tcpOnly, initial: "0", valid: numberIn(0, 360000), fixed: true},
}

type attributesOnWire struct {
	Attributes members[keyValue]
}

func describeLoadBalancerAttributes(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.loadBalancer(q.str("LoadBalancerArn"))
	if err != nil {
		return nil, err
	}
	return attributesOnWire{tagsOnWire(lb.attrs)}, nil
}

// maxAttributes is how many attributes of a load balancer a call may change (AWS's model of the service). It has no bound for those
// of a target group.
const maxAttributes = 20

func modifyLoadBalancerAttributes(_ *Cloud, q *call) (any, *apiError) {
	if err := tooMany("Attributes", len(q.structs("Attributes")), maxAttributes); err != nil {
		return nil, err
	}
	lb, err := q.loadBalancer(q.str("LoadBalancerArn"))
	if err != nil {
		return nil, err
	}
	attrs, err := loadBalancerAttributes.change(q, string(lb.kind), lb.attrs)
	if err != nil {
		return nil, err
	}
	lb.attrs = attrs
	for _, tg := range lb.references() {
		tg.pool.reconsider() // whose members which node reaches may have changed
	}
	lb.adopt(lb.listenersNow())
	q.effect("attributes of %s changed", lb.name)
	return attributesOnWire{tagsOnWire(attrs)}, nil
}

func describeTargetGroupAttributes(_ *Cloud, q *call) (any, *apiError) {
	tg, err := q.targetGroup(q.str("TargetGroupArn"))
	if err != nil {
		return nil, err
	}
	return attributesOnWire{tagsOnWire(tg.attrs)}, nil
}

func modifyTargetGroupAttributes(_ *Cloud, q *call) (any, *apiError) {
	tg, err := q.targetGroup(q.str("TargetGroupArn"))
	if err != nil {
		return nil, err
	}
	attrs, err := targetGroupAttributes.change(q, tg.protocol, tg.attrs)
	if err != nil {
		return nil, err
	}
	if err := tg.mayStick(attrs); err != nil {
		return nil, err
	}
	tg.attrs = attrs
	tg.pool.reconsider()
	q.effect("attributes of %s changed", tg.name)
	return attributesOnWire{tagsOnWire(attrs)}, nil
}

// mayStick refuses stickiness for a group that shares a rule without stickiness for groups. The text is AWS's
// (aws-load-balancer-controller issue 2734).
func (tg *targetGroup) mayStick(attrs map[string]string) *apiError {
	if tg.lb == nil || attrs[stickyAttribute] != "true" {
		return nil
	}
	for _, l := range tg.lb.listeners {
		for _, r := range l.rules {
			for _, a := range r.actions {
				if a.shares(tg.arn) && !a.sticky.on {
					return refuse("InvalidConfigurationRequest", "This target group appears behind a rule with group stickiness disabled (%s). "+
						"You must enable group stickiness before enabling target stickiness", r.arn)
				}
			}
		}
	}
	return nil
}

// shares tells whether the action spreads requests over that group and others.
func (a action) shares(arn string) bool {
	return len(a.groups) > 1 && slices.ContainsFunc(a.groups, func(g weighted) bool { return g.arn == arn })
}
