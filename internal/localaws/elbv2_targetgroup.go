package localaws

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

type matcherOnWire struct {
	HttpCode string
}

type targetGroupOnWire struct {
	TargetGroupArn             string
	TargetGroupName            string
	Protocol                   string
	Port                       int
	VpcId                      string
	HealthCheckProtocol        string
	HealthCheckPort            string
	HealthCheckEnabled         bool
	HealthCheckIntervalSeconds int
	HealthCheckTimeoutSeconds  int
	HealthyThresholdCount      int
	UnhealthyThresholdCount    int
	HealthCheckPath            string         `xml:",omitempty"`
	Matcher                    *matcherOnWire `xml:",omitempty"`
	LoadBalancerArns           members[string]
	TargetType                 string
	ProtocolVersion            string `xml:",omitempty"`
	IpAddressType              string
}

type targetGroupsOnWire struct {
	TargetGroups members[targetGroupOnWire]
	NextMarker   string `xml:",omitempty"`
}

const trafficPort = "traffic-port"

func (tg *targetGroup) describe() targetGroupOnWire {
	check := tg.pool.check
	d := targetGroupOnWire{
		TargetGroupArn: tg.arn, TargetGroupName: tg.name, Protocol: tg.protocol, Port: tg.port, VpcId: tg.vpcID,
		HealthCheckProtocol: check.protocol, HealthCheckPort: trafficPort, HealthCheckEnabled: true,
		HealthCheckIntervalSeconds: seconds(check.interval), HealthCheckTimeoutSeconds: seconds(check.timeout),
		HealthyThresholdCount: check.healthy, UnhealthyThresholdCount: check.unhealthy, HealthCheckPath: check.path,
		TargetType: tg.kind, IpAddressType: "ipv4",
	}
	if check.port != 0 {
		d.HealthCheckPort = strconv.Itoa(check.port)
	}
	if check.http() {
		d.Matcher = &matcherOnWire{string(check.matcher)}
	}
	if tg.protocol == "HTTP" {
		d.ProtocolVersion = "HTTP1"
	}
	if tg.lb != nil {
		d.LoadBalancerArns.Members = []string{tg.lb.arn}
	}
	return d
}

// createTargetGroup is idempotent for equal settings (API reference); the text of the refusal is AWS's
// (terraform-aws-modules/terraform-aws-alb issue 251).
func createTargetGroup(c *Cloud, q *call) (any, *apiError) {
	tg, err := readTargetGroup(q)
	if err != nil {
		return nil, err
	}
	if old := q.realm.balancers.groupNamed(tg.name); old != nil {
		if !old.sameAs(tg) {
			return nil, refuse("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", tg.name)
		}
		if err := q.repeatsTags(old.tags, "DuplicateTargetGroupName", "A target group with the same name '%s' exists", tg.name); err != nil {
			return nil, err
		}
		return targetGroupsOnWire{TargetGroups: membersOf([]targetGroupOnWire{old.describe()})}, nil
	}
	if tg.tags, err = readBalancerTags(q, nil); err != nil {
		return nil, err
	}
	if limit := c.knobs.Balancers.Quotas.Groups; exceeds(len(q.realm.balancers.groups)+1, limit) {
		return nil, refuse("TooManyTargetGroups", "The maximum number of target groups '%d' has been reached", limit)
	}
	tg.arn = q.realm.arn("elasticloadbalancing", "targetgroup/"+tg.name+"/"+c.newHex(16))
	tg.pool.arn = tg.arn
	q.realm.balancers.groups[tg.arn] = tg
	q.effect("created the target group %s", tg.name)
	return targetGroupsOnWire{TargetGroups: membersOf([]targetGroupOnWire{tg.describe()})}, nil
}

func readTargetGroup(q *call) (*targetGroup, *apiError) {
	name := q.str("Name")
	if !balancerName.MatchString(name) || len(name) > 32 {
		return nil, refuse("ValidationError", "Target group name '%s' must have at most 32 alphanumeric characters or hyphens "+
			"and must not begin or end with a hyphen", name)
	}
	tg := &targetGroup{realm: q.realm, name: name, kind: cmp.Or(q.str("TargetType"), byInstance),
		protocol: q.str("Protocol"), port: q.int("Port", 0), vpcID: q.str("VpcId")}
	if err := tg.validate(q); err != nil {
		return nil, err
	}
	tg.attrs = targetGroupAttributes.defaults(tg.protocol)
	tg.pool = newPool(q.realm, TargetGroupPool, name, "", groupRules{tg})
	tg.pool.port, tg.pool.addresses = tg.port, tg.kind == byAddress
	check, err := readGroupCheck(q, tg.protocol, tg.defaultCheck(q.str("HealthCheckProtocol")))
	tg.pool.check = check
	return tg, err
}

func (tg *targetGroup) validate(q *call) *apiError {
	if tg.kind != byInstance && tg.kind != byAddress {
		return refuse("InvalidConfigurationRequest", "The TargetType '%s' is not simulated here; use instance or ip", tg.kind)
	}
	for _, only := range []struct{ name, value string }{{"ProtocolVersion", "HTTP1"}, {"IpAddressType", "ipv4"}} {
		if given := q.str(only.name); given != "" && given != only.value {
			return refuse("InvalidConfigurationRequest", "The %s '%s' is not simulated here; use %s", only.name, given, only.value)
		}
	}
	return tg.validatePlace(q)
}

// validatePlace checks the protocol, the port and the network.
func (tg *targetGroup) validatePlace(q *call) *apiError {
	switch {
	case tg.protocol == "":
		return refuse("ValidationError", "A protocol must be specified")
	case tg.protocol != "HTTP" && tg.protocol != "TCP":
		return refuse("InvalidConfigurationRequest", "The protocol '%s' is not simulated here; use HTTP or TCP", tg.protocol)
	case !q.has("Port"):
		return refuse("ValidationError", "A port must be specified")
	case tg.port < 1 || tg.port > 65535:
		return refuse("ValidationError", "Port %d is not in the range 1-65535", tg.port)
	case q.realm.vpcs[tg.vpcID] == nil:
		return refuse("ValidationError", "The VPC ID '%s' is not found", tg.vpcID)
	}
	return nil
}

// defaultCheck is what a target group checks where nothing is said (SDK documentation of CreateTargetGroup). The timeout of an
// HTTP group is 5 s after the Application Load Balancers guide; the SDK's comment says 6.
func (tg *targetGroup) defaultCheck(checkProtocol string) healthCheck {
	check := healthCheck{protocol: cmp.Or(checkProtocol, tg.protocol), interval: 30 * time.Second, timeout: 10 * time.Second,
		healthy: 5, unhealthy: 2}
	if !check.http() {
		return check
	}
	check.path, check.matcher, check.timeout = "/", "200", 5*time.Second
	if tg.protocol != "HTTP" {
		check.matcher = "200-399"
	}
	if tg.protocol != "HTTP" || tg.realm.c.knobs.Balancers.HTTPChecksWaitSixSeconds {
		check.timeout = 6 * time.Second
	}
	return check
}

// readGroupCheck takes over the settings that the call names.
func readGroupCheck(q *call, protocol string, check healthCheck) (healthCheck, *apiError) {
	check.protocol = cmp.Or(q.str("HealthCheckProtocol"), check.protocol)
	check.interval = time.Duration(q.int("HealthCheckIntervalSeconds", seconds(check.interval))) * time.Second
	check.timeout = time.Duration(q.int("HealthCheckTimeoutSeconds", seconds(check.timeout))) * time.Second
	check.healthy = q.int("HealthyThresholdCount", check.healthy)
	check.unhealthy = q.int("UnhealthyThresholdCount", check.unhealthy)
	check.path = cmp.Or(q.str("HealthCheckPath"), check.path)
	check.matcher = matcher(cmp.Or(q.str("Matcher.HttpCode"), string(check.matcher)))
	switch port := q.str("HealthCheckPort"); port {
	case "":
	case trafficPort:
		check.port = 0
	default:
		check.port, _ = strconv.Atoi(port)
		if check.port < 1 || check.port > 65535 {
			return check, refuse("ValidationError", "Health check port '%s' must be in the range 1-65535 or 'traffic-port'", port)
		}
	}
	if !q.bool("HealthCheckEnabled", true) {
		return check, refuse("InvalidConfigurationRequest", "Health check enabled must be true for target groups with target type 'instance' or 'ip'")
	}
	return check, check.validate(protocol)
}

// validate checks the ranges (SDK documentation of CreateTargetGroup); the text about the interval is AWS's
// (terraform-linters/tflint-ruleset-aws issue 404).
func (h healthCheck) validate(protocol string) *apiError {
	for _, bound := range []struct {
		what          string
		value, lo, hi int
	}{
		{"Health check interval", seconds(h.interval), 5, 300},
		{"Health check timeout", seconds(h.timeout), 2, 120},
		{"Healthy threshold count", h.healthy, 2, 10},
		{"Unhealthy threshold count", h.unhealthy, 2, 10},
	} {
		if bound.value < bound.lo || bound.value > bound.hi {
			return refuse("ValidationError", "%s '%d' must be in the range %d-%d", bound.what, bound.value, bound.lo, bound.hi)
		}
	}
	if h.interval <= h.timeout {
		return refuse("ValidationError", "Health check interval must be greater than the timeout.")
	}
	return h.validateRequest(protocol)
}

// validateRequest checks what is asked and what passes, for a group of that protocol.
func (h healthCheck) validateRequest(protocol string) *apiError {
	switch h.protocol {
	case "TCP":
		return h.validateConnection(protocol)
	case "HTTP":
	default:
		return refuse("InvalidConfigurationRequest", "The health check protocol '%s' is not simulated here; use HTTP or TCP", h.protocol)
	}
	highest := 599
	if protocol == "HTTP" {
		highest = 499
	}
	if !h.matcher.valid(200, highest) {
		return refuse("ValidationError", "Health check matcher HTTP code '%s' must be within '200-%d' inclusive", h.matcher, highest)
	}
	if h.path[0] != '/' || len(h.path) > 1024 {
		return refuse("ValidationError", "Health check path '%s' must start with / and have at most 1024 characters", h.path)
	}
	return nil
}

func (h healthCheck) validateConnection(protocol string) *apiError {
	if protocol == "HTTP" {
		return refuse("InvalidConfigurationRequest", "Health check protocol 'TCP' is not supported for target groups with the protocol 'HTTP'")
	}
	if h.path != "" || h.matcher != "" {
		return refuse("InvalidConfigurationRequest", "Health check path and matcher are not supported with the health check protocol 'TCP'")
	}
	return nil
}

func (tg *targetGroup) sameAs(other *targetGroup) bool {
	return tg.kind == other.kind && tg.protocol == other.protocol && tg.port == other.port && tg.vpcID == other.vpcID && tg.pool.check == other.pool.check
}

func (b *balancers) groupNamed(name string) *targetGroup {
	for _, tg := range b.groups {
		if tg.name == name {
			return tg
		}
	}
	return nil
}

func modifyTargetGroup(_ *Cloud, q *call) (any, *apiError) {
	tg, err := q.targetGroup(q.str("TargetGroupArn"))
	if err != nil {
		return nil, err
	}
	from := tg.pool.check
	if wanted := q.str("HealthCheckProtocol"); wanted != "" && wanted != from.protocol {
		fresh := tg.defaultCheck(wanted)
		from.path, from.matcher = fresh.path, fresh.matcher
	}
	check, err := readGroupCheck(q, tg.protocol, from)
	if err != nil {
		return nil, err
	}
	if check != tg.pool.check {
		tg.pool.check = check
		tg.pool.recheck()
		q.effect("health check of %s: %s %s every %s", tg.name, check.protocol, check.path, check.interval)
	}
	return targetGroupsOnWire{TargetGroups: membersOf([]targetGroupOnWire{tg.describe()})}, nil
}

// deleteTargetGroup refuses a group that an action names; the text is AWS's (hashicorp/terraform issue 13076).
// Deleting what does not exist succeeds, or not (BalancerKnobs.DeleteMissingGroupFails); AWS's model has no error of its own for it.
func deleteTargetGroup(c *Cloud, q *call) (any, *apiError) {
	if err := notAnARN(q.str("TargetGroupArn"), "target group"); err != nil {
		return nil, err
	}
	tg, ok := q.realm.balancers.groups[q.str("TargetGroupArn")]
	switch {
	case !ok && c.knobs.Balancers.DeleteMissingGroupFails:
		return nil, refuse("ValidationError", "The target group '%s' is not found", q.str("TargetGroupArn"))
	case !ok:
		return nil, nil
	case tg.lb != nil:
		return nil, refuse("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", tg.arn)
	}
	tg.pool.dissolve("the target group was deleted")
	delete(q.realm.balancers.groups, tg.arn)
	q.effect("deleted the target group %s", tg.name)
	return nil, nil
}

func describeTargetGroups(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.targetGroups()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *targetGroup) int { return cmp.Compare(a.name, b.name) })
	found, next, err := pageByMarker(q, slices.Compact(found), func(tg *targetGroup) string { return tg.name })
	if err != nil {
		return nil, err
	}
	out := targetGroupsOnWire{NextMarker: next}
	for _, tg := range found {
		out.TargetGroups.Members = append(out.TargetGroups.Members, tg.describe())
	}
	return out, nil
}

// targetGroups are those that the call names in one of three ways, or all.
func (q *call) targetGroups() ([]*targetGroup, *apiError) {
	arns, names := q.list("TargetGroupArns"), q.list("Names")
	ways := 0
	for _, given := range []bool{len(arns) > 0, len(names) > 0, q.has("LoadBalancerArn")} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return nil, refuse("ValidationError", "Only one of load balancer ARN, target group ARNs and target group names can be specified")
	}
	if q.has("LoadBalancerArn") {
		lb, err := q.loadBalancer(q.str("LoadBalancerArn"))
		if err != nil {
			return nil, err
		}
		return lb.references(), nil
	}
	if ways == 0 {
		return slices.Collect(maps.Values(q.realm.balancers.groups)), nil
	}
	var out []*targetGroup
	for _, arn := range arns {
		tg, err := q.targetGroup(arn)
		if err != nil {
			return nil, err
		}
		out = append(out, tg)
	}
	for _, name := range names {
		tg := q.realm.balancers.groupNamed(name)
		if tg == nil {
			return nil, refuse("TargetGroupNotFound", "One or more target groups not found")
		}
		out = append(out, tg)
	}
	return out, nil
}
