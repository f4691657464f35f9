package localaws

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// vpc is one virtual network.
type vpc struct {
	*tagged
	cidr      netip.Prefix
	isDefault bool
}

// subnet is one network in one zone. Guarded by Cloud.mu.
type subnet struct {
	*tagged
	vpcID, az string
	cidr      netip.Prefix
	isDefault bool
	free      int // addresses that can still be given out
	used      map[netip.Addr]bool
	next      netip.Addr // where the search for a free one begins
}

// reservedAddresses are those at the ends of a subnet that AWS keeps: the first four and the last (VPC user guide).
const reservedAddresses = 5

// take gives out an address; the caller has seen that one is free.
func (s *subnet) take() string {
	for s.used[s.next] || !s.cidr.Contains(s.next) {
		s.next = s.following(s.next)
	}
	a := s.next
	s.used[a] = true
	s.next = s.following(a)
	s.free--
	return a.String()
}

func (s *subnet) following(a netip.Addr) netip.Addr {
	if a = a.Next(); s.cidr.Contains(a.Next()) {
		return a
	}
	return s.first()
}

func (s *subnet) first() netip.Addr {
	a := s.cidr.Addr()
	for range 4 {
		a = a.Next()
	}
	return a
}

// release takes an address back.
func (s *subnet) release(address string) {
	if a, err := netip.ParseAddr(address); err == nil && s.used[a] {
		delete(s.used, a)
		s.free++
	}
}

// securityGroup exists so that launches can name it; it filters no traffic.
type securityGroup struct {
	*tagged
	name, description, vpcID string
}

// keyPair exists so that launches can name it.
type keyPair struct {
	*tagged
	name, fingerprint string
}

func one(s string) []string { return []string{s} }

var subnetFilters = filterable[*subnet]{
	fields: map[string]func(*subnet) []string{
		"subnet-id":                  func(s *subnet) []string { return one(s.id) },
		"vpc-id":                     func(s *subnet) []string { return one(s.vpcID) },
		"availability-zone":          func(s *subnet) []string { return one(s.az) },
		"availabilityZone":           func(s *subnet) []string { return one(s.az) },
		"availability-zone-id":       func(s *subnet) []string { return one(zoneID(s.az)) },
		"cidr-block":                 func(s *subnet) []string { return one(s.cidr.String()) },
		"state":                      func(*subnet) []string { return one("available") },
		"default-for-az":             func(s *subnet) []string { return one(strconv.FormatBool(s.isDefault)) },
		"available-ip-address-count": func(s *subnet) []string { return one(strconv.Itoa(s.free)) },
	},
	tags: func(s *subnet, now time.Time) map[string]string { return s.visibleTags(now) },
}

type subnetXML struct {
	ID      string        `xml:"subnetId"`
	ARN     string        `xml:"subnetArn"`
	State   string        `xml:"state"`
	Owner   string        `xml:"ownerId"`
	VPC     string        `xml:"vpcId"`
	CIDR    string        `xml:"cidrBlock"`
	Free    int           `xml:"availableIpAddressCount"`
	AZ      string        `xml:"availabilityZone"`
	AZID    string        `xml:"availabilityZoneId"`
	Default bool          `xml:"defaultForAz"`
	Public  bool          `xml:"mapPublicIpOnLaunch"`
	Tags    items[tagXML] `xml:"tagSet"`
}

var describeSubnets = describeByID(listing[*subnet, subnetXML]{
	kind: subnetID, param: "SubnetId", set: "subnetSet", filters: subnetFilters,
	all: func(r *realm) map[string]*subnet { return r.subnets },
	show: func(r *realm, s *subnet, now time.Time) subnetXML {
		return subnetXML{ID: s.id, ARN: r.arn("ec2", "subnet/"+s.id), State: "available", Owner: r.account, VPC: s.vpcID,
			CIDR: s.cidr.String(), Free: s.free, AZ: s.az, AZID: zoneID(s.az), Default: s.isDefault, Tags: tagSet(s.visibleTags(now))}
	},
	result: func(list []subnetXML, next string) any {
		return struct {
			Set  items[subnetXML] `xml:"subnetSet"`
			Next string           `xml:"nextToken,omitempty"`
		}{itemsOf(list), next}
	},
})

type vpcXML struct {
	ID      string        `xml:"vpcId"`
	Owner   string        `xml:"ownerId"`
	State   string        `xml:"state"`
	CIDR    string        `xml:"cidrBlock"`
	Tenancy string        `xml:"instanceTenancy"`
	Default bool          `xml:"isDefault"`
	Tags    items[tagXML] `xml:"tagSet"`
}

var describeVpcs = describeByID(listing[*vpc, vpcXML]{
	kind: vpcID, param: "VpcId", set: "vpcSet",
	filters: filterable[*vpc]{
		fields: map[string]func(*vpc) []string{
			"vpc-id":     func(v *vpc) []string { return one(v.id) },
			"cidr":       func(v *vpc) []string { return one(v.cidr.String()) },
			"state":      func(*vpc) []string { return one("available") },
			"is-default": func(v *vpc) []string { return one(strconv.FormatBool(v.isDefault)) },
			"isDefault":  func(v *vpc) []string { return one(strconv.FormatBool(v.isDefault)) },
		},
		tags: func(v *vpc, now time.Time) map[string]string { return v.visibleTags(now) },
	},
	all: func(r *realm) map[string]*vpc { return r.vpcs },
	show: func(r *realm, v *vpc, now time.Time) vpcXML {
		return vpcXML{ID: v.id, Owner: r.account, State: "available", CIDR: v.cidr.String(), Tenancy: "default",
			Default: v.isDefault, Tags: tagSet(v.visibleTags(now))}
	},
	result: func(list []vpcXML, next string) any {
		return struct {
			Set  items[vpcXML] `xml:"vpcSet"`
			Next string        `xml:"nextToken,omitempty"`
		}{itemsOf(list), next}
	},
})

type groupXML struct {
	Owner       string          `xml:"ownerId"`
	ID          string          `xml:"groupId"`
	Name        string          `xml:"groupName"`
	Description string          `xml:"groupDescription"`
	VPC         string          `xml:"vpcId"`
	Ingress     items[struct{}] `xml:"ipPermissions"`
	Egress      items[struct{}] `xml:"ipPermissionsEgress"`
	Tags        items[tagXML]   `xml:"tagSet"`
}

var describeSecurityGroups = describeByID(listing[*securityGroup, groupXML]{
	kind: groupID, param: "GroupId", set: "securityGroupIdSet",
	filters: filterable[*securityGroup]{
		fields: map[string]func(*securityGroup) []string{
			"group-id":    func(g *securityGroup) []string { return one(g.id) },
			"group-name":  func(g *securityGroup) []string { return one(g.name) },
			"vpc-id":      func(g *securityGroup) []string { return one(g.vpcID) },
			"description": func(g *securityGroup) []string { return one(g.description) },
		},
		tags: func(g *securityGroup, now time.Time) map[string]string { return g.visibleTags(now) },
	},
	all: func(r *realm) map[string]*securityGroup { return r.groups },
	show: func(r *realm, g *securityGroup, now time.Time) groupXML {
		return groupXML{Owner: r.account, ID: g.id, Name: g.name, Description: g.description, VPC: g.vpcID, Tags: tagSet(g.visibleTags(now))}
	},
	result: func(list []groupXML, next string) any {
		return struct {
			Set  items[groupXML] `xml:"securityGroupInfo"`
			Next string          `xml:"nextToken,omitempty"`
		}{itemsOf(list), next}
	},
})

type keyPairXML struct {
	ID          string        `xml:"keyPairId"`
	Name        string        `xml:"keyName"`
	Fingerprint string        `xml:"keyFingerprint"`
	Type        string        `xml:"keyType"`
	Tags        items[tagXML] `xml:"tagSet"`
}

var keyPairFilters = filterable[*keyPair]{
	fields: map[string]func(*keyPair) []string{
		"key-pair-id": func(k *keyPair) []string { return one(k.id) },
		"key-name":    func(k *keyPair) []string { return one(k.name) },
		"fingerprint": func(k *keyPair) []string { return one(k.fingerprint) },
	},
	tags: func(k *keyPair, now time.Time) map[string]string { return k.visibleTags(now) },
}

var describeKeyPairs = operation{
	params: []string{"DryRun:bool", "KeyName.N", "KeyPairId.N", "Filter.N.Name", "Filter.N.Value.N"},
	run: func(_ *Cloud, q *call) (any, *apiError) {
		keep, err := keyPairFilters.compile(q)
		if err != nil {
			return nil, err
		}
		for _, name := range q.list("KeyName") {
			if q.realm.keyPairs[name] == nil {
				return nil, unknownKeyPair(name)
			}
		}
		names, ids := q.list("KeyName"), q.list("KeyPairId")
		byID := map[string]*keyPair{}
		for _, k := range q.realm.keyPairs {
			byID[k.id] = k
		}
		if _, err := pick(keyPairIDKind, ids, byID); err != nil {
			return nil, err
		}
		list := []keyPairXML{}
		for _, name := range slices.Sorted(maps.Keys(q.realm.keyPairs)) {
			k := q.realm.keyPairs[name]
			wanted := names == nil && ids == nil || slices.Contains(names, name) || slices.Contains(ids, k.id)
			if wanted && keep(k) {
				list = append(list, keyPairXML{k.id, k.name, k.fingerprint, "rsa", tagSet(k.visibleTags(q.at))})
			}
		}
		return struct {
			Set items[keyPairXML] `xml:"keySet"`
		}{itemsOf(list)}, nil
	},
}

func unknownKeyPair(name string) *apiError {
	return refuse("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", name)
}

type zoneXML struct {
	Name   string `xml:"zoneName"`
	ID     string `xml:"zoneId"`
	State  string `xml:"zoneState"`
	Region string `xml:"regionName"`
	Group  string `xml:"groupName"`
	Border string `xml:"networkBorderGroup"`
	Type   string `xml:"zoneType"`
	OptIn  string `xml:"optInStatus"`
}

// zoneID is the name of a zone that is the same in every account: us-east-1a is use1-az1.
func zoneID(zone string) string {
	region, letter := zone[:len(zone)-1], zone[len(zone)-1]
	short := ""
	for i, part := range strings.Split(region, "-") {
		if i == 0 {
			short = part
		} else if part != "" {
			short += part[:1]
		}
	}
	return short + "-az" + strconv.Itoa(int(letter-'a')+1)
}

var zoneFilters = filterable[string]{fields: map[string]func(string) []string{
	"zone-name": func(z string) []string { return one(z) },
	"zone-id":   func(z string) []string { return one(zoneID(z)) },
	"state":     func(string) []string { return one("available") },
	"zone-type": func(string) []string { return one("availability-zone") },
	// What follows is the same for all zones here: those of a region are opted in, and their group is the region.
	"region-name":   func(z string) []string { return one(z[:len(z)-1]) },
	"group-name":    func(z string) []string { return one(z[:len(z)-1]) },
	"opt-in-status": func(string) []string { return one("opt-in-not-required") },
}}

var describeAvailabilityZones = operation{
	params: []string{"DryRun:bool", "AllAvailabilityZones:bool", "ZoneName.N", "ZoneId.N", "Filter.N.Name", "Filter.N.Value.N"},
	run: func(_ *Cloud, q *call) (any, *apiError) {
		keep, err := zoneFilters.compile(q)
		if err != nil {
			return nil, err
		}
		names, ids := q.list("ZoneName"), q.list("ZoneId")
		for _, name := range names {
			if !slices.Contains(q.realm.zones, name) {
				return nil, unknownZone(name)
			}
		}
		for _, id := range ids {
			if !slices.ContainsFunc(q.realm.zones, func(z string) bool { return zoneID(z) == id }) {
				return nil, refuse("InvalidParameterValue", "Invalid availability zone-id: [%s]", id)
			}
		}
		list := []zoneXML{}
		for _, z := range q.realm.zones {
			wanted := names == nil && ids == nil || slices.Contains(names, z) || slices.Contains(ids, zoneID(z))
			if wanted && keep(z) {
				list = append(list, zoneXML{z, zoneID(z), "available", q.realm.region, q.realm.region, q.realm.region,
					"availability-zone", "opt-in-not-required"})
			}
		}
		return struct {
			Set items[zoneXML] `xml:"availabilityZoneInfo"`
		}{itemsOf(list)}, nil
	},
}

func unknownZone(name string) *apiError {
	return refuse("InvalidParameterValue", "Invalid availability zone: [%s]", name)
}
