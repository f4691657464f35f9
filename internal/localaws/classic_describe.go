package localaws

import (
	"slices"
	"sort"
)

type classicDescription struct {
	LoadBalancerName          string
	DNSName                   string
	CanonicalHostedZoneName   string `xml:",omitempty"`
	CanonicalHostedZoneNameID string
	CreatedTime               string
	Scheme                    string
	VPCId                     string `xml:",omitempty"`
	AvailabilityZones         members[string]
	Subnets                   members[string]
	SecurityGroups            members[string]
	HealthCheck               classicCheck
	Instances                 members[classicInstance]
	ListenerDescriptions      members[classicListenerDescription]
	Policies                  classicPolicies
	BackendServerDescriptions members[struct{}]
	SourceSecurityGroup       *classicSourceGroup
}

type classicListenerDescription struct {
	Listener    classicListenerOnWire
	PolicyNames members[string]
}

type classicListenerOnWire struct {
	Protocol         string
	LoadBalancerPort int
	InstanceProtocol string
	InstancePort     int
}

// classicPolicies are always empty: stickiness and TLS policies are not simulated.
type classicPolicies struct {
	AppCookieStickinessPolicies members[struct{}]
	LBCookieStickinessPolicies  members[struct{}]
	OtherPolicies               members[string]
}

type classicSourceGroup struct {
	OwnerAlias, GroupName string
}

type classicDescriptions struct {
	LoadBalancerDescriptions members[classicDescription]
	NextMarker               string `xml:",omitempty"`
}

func describeClassic(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.classicsNamed(q.list("LoadBalancerNames"))
	if err != nil {
		return nil, err
	}
	found, next, err := pageByMarker(q, found, func(lb *classicBalancer) string { return lb.name })
	if err != nil {
		return nil, err
	}
	out := classicDescriptions{NextMarker: next}
	for _, lb := range found {
		out.LoadBalancerDescriptions.Members = append(out.LoadBalancerDescriptions.Members, lb.describe(q))
	}
	return out, nil
}

func (lb *classicBalancer) describe(q *call) classicDescription {
	d := classicDescription{
		LoadBalancerName:          lb.name,
		DNSName:                   lb.dnsName,
		CanonicalHostedZoneNameID: hostedZone,
		CreatedTime:               timestamp(lb.created),
		Scheme:                    lb.scheme,
		VPCId:                     lb.vpcID,
		AvailabilityZones:         membersOf(slices.Clone(lb.zones)),
		Subnets:                   lb.subnets(),
		SecurityGroups:            membersOf(slices.Clone(lb.groups)),
		HealthCheck:               lb.pool.check.classic(),
		Instances:                 lb.registered(q).Instances,
	}
	if lb.scheme != "internal" {
		d.CanonicalHostedZoneName = lb.dnsName
	}
	for _, id := range lb.groups[:min(1, len(lb.groups))] {
		if g, ok := lb.realm.groups[id]; ok {
			d.SourceSecurityGroup = &classicSourceGroup{lb.realm.account, g.name}
		}
	}
	for _, l := range lb.listeners {
		d.ListenerDescriptions.Members = append(d.ListenerDescriptions.Members, classicListenerDescription{
			Listener: classicListenerOnWire{l.protocol, l.port, l.instanceProtocol, l.instancePort}})
	}
	return d
}

// hostedZone is the Route 53 zone of load balancer names in us-east-1; DNS is not simulated.
const hostedZone = "Z35SXDOTRQ7X7K"

// maxMarkerPage is the largest and the default page of both generations (API reference, PageSize).
const maxMarkerPage = 400

// pageByMarker cuts the page that the call asks for (Marker, PageSize) out of a list sorted by key.
func pageByMarker[T any](q *call, list []T, key func(T) string) ([]T, string, *apiError) {
	size := q.int("PageSize", maxMarkerPage)
	if size < 1 || size > maxMarkerPage {
		return nil, "", refuse("ValidationError", "Page size must be between 1 and %d", maxMarkerPage)
	}
	if marker := q.str("Marker"); marker != "" {
		after, ok := q.opened(marker)
		if !ok {
			return nil, "", refuse("ValidationError", "Marker '%s' is not valid", marker)
		}
		list = list[sort.Search(len(list), func(i int) bool { return key(list[i]) > after }):]
	}
	if len(list) <= size {
		return list, "", nil
	}
	return list[:size], q.nextToken(key(list[size-1])), nil
}
