package localaws

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// balancerName is what both generations accept as a name.
var balancerName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)

type createdClassic struct {
	DNSName string
}

func createClassic(c *Cloud, q *call) (any, *apiError) {
	name := q.str("LoadBalancerName")
	if !balancerName.MatchString(name) || len(name) > 32 {
		return nil, refuse("ValidationError", "LoadBalancer name must contain only alphanumeric characters or hyphens, "+
			"must not begin or end with a hyphen and cannot be longer than 32 characters: '%s'", name)
	}
	if _, taken := q.realm.balancers.classic[name]; taken {
		return nil, refuse("DuplicateLoadBalancerName", "The specified load balancer name already exists for this account.")
	}
	if limit := c.knobs.Balancers.Quotas.ClassicBalancers; exceeds(len(q.realm.balancers.classic)+1, limit) {
		return nil, refuse("TooManyLoadBalancers", "Exceeded quota of account %s", q.realm.account)
	}
	lb := &classicBalancer{
		balancer: balancer{realm: q.realm, kind: classic, name: name},
		created:  c.now(),
		attrs:    defaultClassicAttributes(),
		scheme:   cmp.Or(q.str("Scheme"), "internet-facing"),
	}
	lb.attrs.draining = c.knobs.Balancers.ClassicDrainsByDefault
	if lb.scheme != "internet-facing" && lb.scheme != "internal" {
		return nil, refuse("InvalidScheme", "The specified scheme '%s' is not valid; it must be internet-facing or internal", lb.scheme)
	}
	if err := lb.place(q); err != nil {
		return nil, err
	}
	if err := lb.listen(q); err != nil {
		return nil, err
	}
	tags, err := readBalancerTags(q, nil)
	if err != nil {
		return nil, err
	}
	lb.tags = tags
	lb.pool = newPool(q.realm, ClassicPool, name, "", classicRules{lb})
	// TCP:80 whatever the ports of the listeners (SDK documentation of HealthCheck, classic guide).
	lb.pool.check = healthCheck{protocol: "TCP", port: 80, interval: 30 * time.Second,
		timeout: 5 * time.Second, unhealthy: 2, healthy: 10}
	lb.dnsName = q.realm.newDNSName(name, lb.scheme)
	q.realm.balancers.classic[name] = lb
	lb.open()
	q.effect("created the classic load balancer %s in %s", name, strings.Join(lb.zones, ", "))
	return createdClassic{lb.dnsName}, nil
}

// place reads where the load balancer is: subnets, or zones, which mean their default subnets.
func (lb *classicBalancer) place(q *call) *apiError {
	zones, subnets := q.list("AvailabilityZones"), q.list("Subnets")
	switch {
	case len(zones) > 0 && len(subnets) > 0:
		return refuse("ValidationError", "Only one of SubnetIds or AvailabilityZones may be specified")
	case len(zones) == 0 && len(subnets) == 0:
		return refuse("ValidationError", "Either AvailabilityZones or SubnetIds must be specified")
	}
	groups := q.list("SecurityGroups")
	for _, id := range groups {
		if _, ok := q.realm.groups[id]; !ok {
			return refuse("InvalidSecurityGroup", "One or more of the specified security groups do not exist: %s", id)
		}
	}
	lb.groups = groups
	settle := func() *apiError { return lb.enable(q, zones) }
	if len(subnets) > 0 {
		settle = func() *apiError { return lb.attach(q, subnets) }
	}
	if err := settle(); err != nil {
		return err
	}
	// The text is AWS's (terraform issue 30261). Without a subnet there is no VPC.
	if stray := q.realm.strayGroup(groups, lb.vpcID); stray != "" && lb.vpcID != "" {
		return badConfiguration(`Security group "%s" does not belong to VPC "%s"`, stray, lb.vpcID)
	}
	return nil
}

// attach adds subnets, at most one a zone.
func (lb *classicBalancer) attach(q *call, ids []string) *apiError {
	places, vpc := slices.Clone(lb.places), lb.vpcID
	for _, id := range ids {
		s, ok := q.realm.subnets[id]
		if !ok {
			return refuse("SubnetNotFound", "The subnet ID '%s' does not exist", id)
		}
		at := place{id, s.az}
		switch {
		case slices.Contains(places, at):
			continue
		case vpc != "" && s.vpcID != vpc:
			return refuse("InvalidSubnet", "The subnet '%s' is not in the load balancer's VPC %s", id, vpc)
		case slices.ContainsFunc(places, func(p place) bool { return p.zone == s.az }):
			return badConfiguration("ELB cannot be attached to multiple subnets in the same AZ.")
		}
		places, vpc = append(places, at), s.vpcID
	}
	lb.vpcID = vpc
	lb.settle(places)
	return nil
}

// enable adds zones; each stands for its default subnet, where it has one.
func (lb *classicBalancer) enable(q *call, zones []string) *apiError {
	for _, zone := range zones {
		if !slices.Contains(q.realm.zones, zone) {
			return refuse("ValidationError", "Invalid availability zone: [%s]", zone)
		}
	}
	places := slices.Clone(lb.places)
	for _, zone := range slices.Compact(slices.Sorted(slices.Values(zones))) {
		if lb.placed(zone) {
			continue
		}
		at := place{zone: zone}
		for id, s := range q.realm.subnets {
			if s.az == zone && s.isDefault {
				at.subnet, lb.vpcID = id, s.vpcID
			}
		}
		places = append(places, at)
	}
	lb.settle(places)
	return nil
}

// listen reads and adds listeners. The text for a taken port is AWS's (hashicorp/terraform issue 9001).
func (lb *classicBalancer) listen(q *call) *apiError {
	wanted, err := readClassicListeners(q)
	if err != nil {
		return err
	}
	all := slices.Clone(lb.listeners)
	for _, l := range wanted {
		i := slices.IndexFunc(all, func(other classicListener) bool { return other.port == l.port })
		switch {
		case i < 0:
			all = append(all, l)
		case all[i] != l:
			return refuse("DuplicateListener", "A listener already exists for %s with LoadBalancerPort %d, but with a "+
				"different InstancePort, Protocol, or SSLCertificateId", lb.name, l.port)
		}
	}
	slices.SortFunc(all, func(a, b classicListener) int { return cmp.Compare(a.port, b.port) })
	lb.listeners = all
	return nil
}

func readClassicListeners(q *call) ([]classicListener, *apiError) {
	var out []classicListener
	for _, p := range q.structs("Listeners") {
		l := classicListener{protocol: strings.ToUpper(p.str("Protocol")), port: p.int("LoadBalancerPort", 0),
			instanceProtocol: strings.ToUpper(p.str("InstanceProtocol")), instancePort: p.int("InstancePort", 0)}
		l.instanceProtocol = cmp.Or(l.instanceProtocol, l.protocol)
		for _, protocol := range []string{l.protocol, l.instanceProtocol} {
			if err := classicProtocol(protocol); err != nil {
				return nil, err
			}
		}
		if p.has("SSLCertificateId") {
			return nil, refuse("CertificateNotFound", "Server Certificate not found for the key: %s (certificates are not simulated)",
				p.str("SSLCertificateId"))
		}
		if l.protocol != l.instanceProtocol {
			return nil, badConfiguration("Listener Protocol %s and InstanceProtocol %s must be of the same layer",
				l.protocol, l.instanceProtocol)
		}
		for _, port := range []int{l.port, l.instancePort} {
			if port < 1 || port > 65535 {
				return nil, refuse("ValidationError", "Port %d is not in the range 1-65535", port)
			}
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		return nil, refuse("ValidationError", "Listeners cannot be empty")
	}
	return out, nil
}

func classicProtocol(protocol string) *apiError {
	switch protocol {
	case "HTTP", "TCP":
		return nil
	case "HTTPS", "SSL":
		return refuse("UnsupportedProtocol", "The protocol %s is not simulated here; use HTTP or TCP", protocol)
	}
	return refuse("ValidationError", "Listener Protocol %s must be one of HTTP, TCP, HTTPS, SSL", protocol)
}

func deleteClassic(_ *Cloud, q *call) (any, *apiError) {
	// Deleting what does not exist succeeds (API reference of DeleteLoadBalancer).
	lb, ok := q.realm.balancers.classic[q.str("LoadBalancerName")]
	if !ok {
		return nil, nil
	}
	lb.adopt(nil)
	lb.pool.dissolve("the load balancer was deleted")
	delete(q.realm.balancers.classic, lb.name)
	q.effect("deleted the classic load balancer %s", lb.name)
	return nil, nil
}

func createClassicListeners(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	if err := lb.listen(q); err != nil {
		return nil, err
	}
	lb.open()
	q.effect("listeners of %s: %s", lb.name, lb.ports())
	return nil, nil
}

func deleteClassicListeners(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	ports := q.list("LoadBalancerPorts")
	lb.listeners = slices.DeleteFunc(slices.Clone(lb.listeners), func(l classicListener) bool {
		return slices.Contains(ports, strconv.Itoa(l.port))
	})
	lb.open()
	q.effect("listeners of %s: %s", lb.name, lb.ports())
	return nil, nil
}

func (lb *classicBalancer) ports() string {
	out := make([]string, 0, len(lb.listeners))
	for _, l := range lb.listeners {
		out = append(out, fmt.Sprintf("%s %d to %d", l.protocol, l.port, l.instancePort))
	}
	return strings.Join(out, ", ")
}

// open tells the nodes what the listeners are.
func (lb *classicBalancer) open() {
	fronts := map[int]front{}
	idle := time.Duration(lb.attrs.idle) * time.Second
	for _, l := range lb.listeners {
		all := action{kind: forwardAction, groups: []weighted{{pool: lb.pool, weight: 1}}}
		fronts[l.port] = front{protocol: l.protocol, idle: idle, patience: idle, routes: []route{{action: all}}}
	}
	lb.adopt(fronts)
}
