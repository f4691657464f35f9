package localaws

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

type zoneOnWire struct {
	ZoneName              string
	SubnetId              string
	LoadBalancerAddresses members[struct{}]
}

type stateOnWire struct {
	Code string
}

type loadBalancerOnWire struct {
	LoadBalancerArn       string
	LoadBalancerName      string
	DNSName               string
	CanonicalHostedZoneId string
	CreatedTime           string
	Scheme                string
	VpcId                 string
	State                 stateOnWire
	Type                  string
	AvailabilityZones     members[zoneOnWire]
	SecurityGroups        *members[string]
	IpAddressType         string
}

type loadBalancersOnWire struct {
	LoadBalancers members[loadBalancerOnWire]
	NextMarker    string `xml:",omitempty"`
}

func (lb *loadBalancer) describe() loadBalancerOnWire {
	d := loadBalancerOnWire{
		LoadBalancerArn: lb.arn, LoadBalancerName: lb.name, DNSName: lb.dnsName, CanonicalHostedZoneId: hostedZone,
		CreatedTime: timestamp(lb.created), Scheme: lb.scheme, VpcId: lb.vpcID, State: stateOnWire{"active"},
		Type: string(lb.kind), IpAddressType: lb.ipAddressType,
	}
	if lb.realm.c.now().Before(lb.active) {
		d.State.Code = "provisioning"
	}
	if lb.kind == application || len(lb.groups) > 0 {
		groups := membersOf(slices.Clone(lb.groups))
		d.SecurityGroups = &groups
	}
	for _, p := range lb.places {
		d.AvailabilityZones.Members = append(d.AvailabilityZones.Members, zoneOnWire{ZoneName: p.zone, SubnetId: p.subnet})
	}
	return d
}

// createLoadBalancer is idempotent: a repeated call with the same settings answers with the one that exists.
func createLoadBalancer(c *Cloud, q *call) (any, *apiError) {
	lb, err := readLoadBalancer(q)
	if err != nil {
		return nil, err
	}
	if old := q.realm.balancers.v2Named(lb.name); old != nil {
		if !old.sameAs(lb) {
			return nil, refuse("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", lb.name)
		}
		if err := q.repeatsTags(old.tags, "DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists", lb.name); err != nil {
			return nil, err
		}
		return loadBalancersOnWire{LoadBalancers: membersOf([]loadBalancerOnWire{old.describe()})}, nil
	}
	if lb.tags, err = readBalancerTags(q, nil); err != nil {
		return nil, err
	}
	flavour := "app"
	if lb.kind == network {
		flavour = "net"
	}
	lb.arn = q.realm.arn("elasticloadbalancing", "loadbalancer/"+flavour+"/"+lb.name+"/"+c.newHex(16))
	lb.dnsName = q.realm.newDNSName(lb.name, lb.scheme)
	lb.attrs = loadBalancerAttributes.defaults(string(lb.kind))
	lb.created = c.now()
	lb.active = lb.created.Add(q.realm.draw(c.knobs.Balancers.Provisioning, lb.arn, 0))
	q.realm.balancers.v2[lb.arn] = lb
	lb.adopt(nil)
	q.effect("created the %s load balancer %s in %s", lb.kind, lb.name, strings.Join(lb.zones, ", "))
	answer := lb.describe()
	answer.State.Code = "provisioning" // the initial state (API reference of LoadBalancerState)
	return loadBalancersOnWire{LoadBalancers: membersOf([]loadBalancerOnWire{answer})}, nil
}

func readLoadBalancer(q *call) (*loadBalancer, *apiError) {
	name := q.str("Name")
	if !balancerName.MatchString(name) || len(name) > 32 || strings.HasPrefix(name, "internal-") {
		return nil, refuse("ValidationError", "The load balancer name '%s' must have at most 32 alphanumeric characters or hyphens, "+
			"must not begin or end with a hyphen and must not begin with internal-", name)
	}
	lb := &loadBalancer{
		balancer:      balancer{realm: q.realm, kind: balancerKind(cmp.Or(q.str("Type"), string(application))), name: name},
		scheme:        cmp.Or(q.str("Scheme"), "internet-facing"),
		ipAddressType: cmp.Or(q.str("IpAddressType"), "ipv4"),
		groups:        q.list("SecurityGroups"),
	}
	if err := lb.validate(); err != nil {
		return nil, err
	}
	if err := lb.place(q); err != nil {
		return nil, err
	}
	if stray := q.realm.strayGroup(lb.groups, lb.vpcID); stray != "" { // the code and text are those of the classic API
		return nil, refuse("InvalidConfigurationRequest", `Security group "%s" does not belong to VPC "%s"`, stray, lb.vpcID)
	}
	if lb.kind == application && len(lb.groups) == 0 {
		lb.groups = q.realm.defaultGroups(lb.vpcID)
	}
	return lb, nil
}

func (lb *loadBalancer) validate() *apiError {
	switch {
	case lb.kind != application && lb.kind != network:
		return refuse("InvalidConfigurationRequest", "Load balancers of type '%s' are not simulated here; use application or network", lb.kind)
	case lb.scheme != "internet-facing" && lb.scheme != "internal":
		return refuse("InvalidScheme", "Load balancer scheme '%s' is not valid", lb.scheme)
	case lb.ipAddressType != "ipv4":
		return refuse("InvalidConfigurationRequest", "The IP address type '%s' is not simulated here; use ipv4", lb.ipAddressType)
	}
	for _, id := range lb.groups {
		if _, ok := lb.realm.groups[id]; !ok {
			return refuse("InvalidSecurityGroup", "One or more security groups are invalid: %s", id)
		}
	}
	return nil
}

// strayGroup is the first of the security groups that is in another VPC; empty if there is none.
func (r *realm) strayGroup(ids []string, vpcID string) string {
	for _, id := range ids {
		if r.groups[id].vpcID != vpcID {
			return id
		}
	}
	return ""
}

// defaultGroups is the security group that a load balancer gets which names none.
func (r *realm) defaultGroups(vpcID string) []string {
	for id, g := range r.groups {
		if g.vpcID == vpcID && g.name == "default" {
			return []string{id}
		}
	}
	return nil
}

// place reads the subnets: at most one a zone, and for an Application Load Balancer at least two.
func (lb *loadBalancer) place(q *call) *apiError {
	ids := q.list("Subnets")
	if mapped := q.members("SubnetMappings", "SubnetId"); len(mapped) > 0 {
		if len(ids) > 0 {
			return refuse("ValidationError", "You must specify either subnets or subnet mappings, but not both")
		}
		ids = mapped
	}
	var places []place
	lb.vpcID = ""
	for _, id := range ids {
		s, ok := q.realm.subnets[id]
		if !ok {
			return refuse("SubnetNotFound", "The subnet ID '%s' does not exist", id)
		}
		if lb.vpcID != "" && s.vpcID != lb.vpcID {
			return refuse("InvalidSubnet", "The following subnets are not in the VPC '%s': '%s'", lb.vpcID, id)
		}
		if slices.ContainsFunc(places, func(p place) bool { return p.zone == s.az }) {
			return refuse("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
		places, lb.vpcID = append(places, place{id, s.az}), s.vpcID
	}
	if lb.kind == application && len(ids) < 2 {
		return refuse("ValidationError", "At least two subnets in two different Availability Zones must be specified")
	}
	if len(ids) == 0 {
		return refuse("ValidationError", "At least one subnet must be specified")
	}
	lb.settle(places)
	return nil
}

func (b *balancers) v2Named(name string) *loadBalancer {
	for _, lb := range b.v2 {
		if lb.name == name {
			return lb
		}
	}
	return nil
}

func (lb *loadBalancer) sameAs(other *loadBalancer) bool {
	return lb.kind == other.kind && lb.scheme == other.scheme && slices.Equal(lb.places, other.places) &&
		slices.Equal(lb.groups, other.groups)
}

func describeLoadBalancers(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.loadBalancers(q.list("LoadBalancerArns"), q.list("Names"))
	if err != nil {
		return nil, err
	}
	found, next, err := pageByMarker(q, found, func(lb *loadBalancer) string { return lb.name })
	if err != nil {
		return nil, err
	}
	out := loadBalancersOnWire{NextMarker: next}
	for _, lb := range found {
		out.LoadBalancers.Members = append(out.LoadBalancers.Members, lb.describe())
	}
	return out, nil
}

// loadBalancers finds load balancers by ARN or by name, or all of them; sorted by name.
func (q *call) loadBalancers(arns, names []string) ([]*loadBalancer, *apiError) {
	if len(arns) > 0 && len(names) > 0 {
		return nil, refuse("ValidationError", "Load balancer names and load balancer ARNs cannot be specified at the same time")
	}
	if len(arns) > maxTagged {
		return nil, refuse("ValidationError", "Up to %d load balancers can be described in a single call", maxTagged)
	}
	var out []*loadBalancer
	for _, arn := range arns {
		lb, err := q.loadBalancer(arn)
		if err != nil {
			return nil, err
		}
		out = append(out, lb)
	}
	for _, name := range names {
		lb := q.realm.balancers.v2Named(name)
		if lb == nil {
			return nil, refuse("LoadBalancerNotFound", "Load balancers '[%s]' not found", name)
		}
		out = append(out, lb)
	}
	if len(arns)+len(names) == 0 {
		out = slices.Collect(maps.Values(q.realm.balancers.v2))
	}
	slices.SortFunc(out, func(a, b *loadBalancer) int { return cmp.Compare(a.name, b.name) })
	return slices.Compact(out), nil
}

func deleteLoadBalancer(_ *Cloud, q *call) (any, *apiError) {
	if err := notAnARN(q.str("LoadBalancerArn"), "load balancer"); err != nil {
		return nil, err
	}
	// Deleting what does not exist succeeds (API reference of DeleteLoadBalancer).
	lb, ok := q.realm.balancers.v2[q.str("LoadBalancerArn")]
	if !ok {
		return nil, nil
	}
	if lb.attrs["deletion_protection.enabled"] == "true" {
		return nil, refuse("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", lb.arn)
	}
	for _, l := range slices.Clone(lb.listeners) {
		l.remove()
	}
	lb.rewire()
	delete(q.realm.balancers.v2, lb.arn)
	q.effect("deleted the load balancer %s", lb.name)
	return nil, nil
}

type subnetsOnWire struct {
	AvailabilityZones members[zoneOnWire]
	IpAddressType     string
}

func setSubnets(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.loadBalancer(q.str("LoadBalancerArn"))
	if err != nil {
		return nil, err
	}
	moved := &loadBalancer{balancer: balancer{realm: lb.realm, kind: lb.kind, name: lb.name}}
	if err := moved.place(q); err != nil {
		return nil, err
	}
	if moved.vpcID != lb.vpcID {
		return nil, refuse("InvalidSubnet", "The subnets are not in the load balancer's VPC %s", lb.vpcID)
	}
	lb.settle(moved.places)
	var pools []*pool
	for _, tg := range lb.references() {
		pools = append(pools, tg.pool)
	}
	lb.rezone(pools...)
	q.effect("zones of %s: %s", lb.name, strings.Join(lb.zones, ", "))
	d := lb.describe()
	return subnetsOnWire{d.AvailabilityZones, d.IpAddressType}, nil
}
