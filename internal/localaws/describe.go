package localaws

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// reservationXML is one launch with those of its instances that the call shows.
type reservationXML struct {
	ID        string             `xml:"reservationId"`
	Owner     string             `xml:"ownerId"`
	Groups    items[groupRefXML] `xml:"groupSet"`
	Instances items[instanceXML] `xml:"instancesSet"`
}

type groupRefXML struct {
	ID   string `xml:"groupId"`
	Name string `xml:"groupName"`
}

type placementXML struct {
	AZ      string `xml:"availabilityZone"`
	Group   string `xml:"groupName"`
	Tenancy string `xml:"tenancy"`
}

type profileXML struct {
	ARN string `xml:"arn"`
	ID  string `xml:"id"`
}

type deviceXML struct {
	Name string `xml:"deviceName"`
	EBS  struct {
		Volume   string `xml:"volumeId"`
		Status   string `xml:"status"`
		Attached string `xml:"attachTime"`
		Delete   bool   `xml:"deleteOnTermination"`
	} `xml:"ebs"`
}

type interfaceXML struct {
	ID          string             `xml:"networkInterfaceId"`
	Subnet      string             `xml:"subnetId"`
	VPC         string             `xml:"vpcId"`
	Owner       string             `xml:"ownerId"`
	Status      string             `xml:"status"`
	PrivateIP   string             `xml:"privateIpAddress"`
	SourceCheck bool               `xml:"sourceDestCheck"`
	Groups      items[groupRefXML] `xml:"groupSet"`
}

type monitoringXML struct {
	State string `xml:"state"`
}

// instanceXML is an instance as DescribeInstances and RunInstances show it.
type instanceXML struct {
	ID           string              `xml:"instanceId"`
	Image        string              `xml:"imageId"`
	State        stateXML            `xml:"instanceState"`
	PrivateDNS   string              `xml:"privateDnsName"`
	DNS          string              `xml:"dnsName"`
	Transition   string              `xml:"reason"`
	Key          string              `xml:"keyName,omitempty"`
	Index        int                 `xml:"amiLaunchIndex"`
	Products     items[struct{}]     `xml:"productCodes"`
	Type         string              `xml:"instanceType"`
	Launched     string              `xml:"launchTime"`
	Placement    placementXML        `xml:"placement"`
	Monitoring   monitoringXML       `xml:"monitoring"`
	Subnet       string              `xml:"subnetId,omitempty"`
	VPC          string              `xml:"vpcId,omitempty"`
	PrivateIP    string              `xml:"privateIpAddress,omitempty"`
	SourceCheck  *bool               `xml:"sourceDestCheck"`
	Groups       items[groupRefXML]  `xml:"groupSet"`
	Reason       *stateReason        `xml:"stateReason"`
	Architecture string              `xml:"architecture"`
	RootType     string              `xml:"rootDeviceType"`
	RootName     string              `xml:"rootDeviceName"`
	Devices      items[deviceXML]    `xml:"blockDeviceMapping"`
	Virtual      string              `xml:"virtualizationType"`
	Token        string              `xml:"clientToken"`
	Tags         items[tagXML]       `xml:"tagSet"`
	Hypervisor   string              `xml:"hypervisor"`
	Interfaces   items[interfaceXML] `xml:"networkInterfaceSet"`
	EBSOptimized bool                `xml:"ebsOptimized"`
	ENA          bool                `xml:"enaSupport"`
	Profile      *profileXML         `xml:"iamInstanceProfile"`
	Metadata     *metadataOptions    `xml:"metadataOptions"`
}

// xml shows the instance in the given state. Once terminated it has no network any more.
func (in *instance) xml(now time.Time, state string, reason stateReason) instanceXML {
	x := instanceXML{
		ID: in.id, Image: in.imageID, State: stateOf(state), Transition: in.transitionReason, Key: in.keyName, Index: in.index,
		Type: in.instanceType, Launched: timestamp(in.launched), Placement: placementXML{AZ: in.az, Tenancy: in.tenancy},
		Monitoring: monitoringXML{"disabled"}, Architecture: instanceTypes[in.instanceType].arch, RootType: "ebs", RootName: rootDevice,
		Virtual: "hvm", Token: in.clientToken, Tags: tagSet(in.visibleTags(now)), Hypervisor: "xen", EBSOptimized: in.ebsOptimized, ENA: true,
	}
	if in.monitoring {
		x.Monitoring.State = "enabled"
	}
	if reason.Code != "" {
		x.Reason = &reason
	}
	if in.profile != nil {
		x.Profile = &profileXML{in.profile.arn, in.profile.id}
	}
	metadata := in.metadata
	x.Metadata = &metadata
	if state == stateTerminated {
		return x
	}
	in.addNetwork(&x)
	for _, d := range in.devices {
		var v deviceXML
		v.Name, v.EBS.Volume, v.EBS.Status, v.EBS.Attached, v.EBS.Delete = d.name, d.volumeID, "attached", timestamp(in.launched), !d.keep
		x.Devices.Items = append(x.Devices.Items, v)
	}
	return x
}

func (in *instance) addNetwork(x *instanceXML) {
	check := true
	x.Subnet, x.VPC, x.PrivateIP, x.SourceCheck = in.subnetID, in.vpcID, in.privateIP, &check
	x.PrivateDNS = in.privateDNS()
	for _, id := range in.groups {
		if g := in.realm.groups[id]; g != nil {
			x.Groups.Items = append(x.Groups.Items, groupRefXML{g.id, g.name})
		}
	}
	x.Interfaces = itemsOf([]interfaceXML{{ID: in.interfaceID, Subnet: in.subnetID, VPC: in.vpcID, Owner: in.realm.account, Status: "in-use",
		PrivateIP: in.privateIP, SourceCheck: true, Groups: x.Groups}})
}

func (in *instance) privateDNS() string {
	return "ip-" + strings.ReplaceAll(in.privateIP, ".", "-") + ".ec2.internal"
}

// networked is a field that a terminated instance does not have any more.
func networked(field func(*instance) string) func(*instance) []string {
	return func(in *instance) []string {
		if in.state == stateTerminated {
			return nil
		}
		return one(field(in))
	}
}

// instanceFilters read the truth, but for the state, which may lag.
func instanceFilters(c *Cloud, now time.Time) filterable[*instance] {
	state := func(in *instance) string { s, _ := in.shownState(now, c.knobs.StateLag); return s }
	return filterable[*instance]{
		fields: map[string]func(*instance) []string{
			"instance-id":         func(in *instance) []string { return one(in.id) },
			"instance-state-name": func(in *instance) []string { return one(state(in)) },
			"instance-state-code": func(in *instance) []string { return one(strconv.Itoa(stateCodes[state(in)])) },
			"state-reason-code":   func(in *instance) []string { return one(in.stateReason.Code) },
			"client-token":        func(in *instance) []string { return one(in.clientToken) },
			"image-id":            func(in *instance) []string { return one(in.imageID) },
			"instance-type":       func(in *instance) []string { return one(in.instanceType) },
			"architecture":        func(in *instance) []string { return one(instanceTypes[in.instanceType].arch) },
			"key-name":            func(in *instance) []string { return one(in.keyName) },
			"availability-zone":   func(in *instance) []string { return one(in.az) },
			"reservation-id":      func(in *instance) []string { return one(in.reservation.id) },
			"owner-id":            func(in *instance) []string { return one(in.realm.account) },
			"launch-time":         func(in *instance) []string { return one(timestamp(in.launched)) },
			"launch-index":        func(in *instance) []string { return one(strconv.Itoa(in.index)) },
			"tenancy":             func(in *instance) []string { return one(in.tenancy) },
			"subnet-id":           networked(func(in *instance) string { return in.subnetID }),
			"vpc-id":              networked(func(in *instance) string { return in.vpcID }),
			"private-ip-address":  networked(func(in *instance) string { return in.privateIP }),
			"private-dns-name":    networked((*instance).privateDNS),
			"instance.group-id":   func(in *instance) []string { return in.groups },
			"instance.group-name": func(in *instance) []string { return in.groupNames() },
			"iam-instance-profile.arn": func(in *instance) []string {
				if in.profile == nil {
					return nil
				}
				return one(in.profile.arn)
			},
		},
		tags: func(in *instance, now time.Time) map[string]string { return in.visibleTags(now) },
	}
}

func (in *instance) groupNames() []string {
	names := make([]string, 0, len(in.groups))
	for _, id := range in.groups {
		if g := in.realm.groups[id]; g != nil {
			names = append(names, g.name)
		}
	}
	return names
}

var describeInstances = operation{
	params: []string{"DryRun:bool", "InstanceId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults:int", "NextToken"},
	run: func(c *Cloud, q *call) (any, *apiError) {
		keep, err := instanceFilters(c, q.at).compile(q)
		if err != nil {
			return nil, err
		}
		list, next, err := q.instancePage("instancesSet", keep)
		if err != nil {
			return nil, err
		}
		var out struct {
			Reservations items[reservationXML] `xml:"reservationSet"`
			Next         string                `xml:"nextToken,omitempty"`
		}
		out.Next = next
		if c.knobs.UnstableOrder {
			c.source("order", q.requestID).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		last := ""
		for _, in := range list {
			if in.reservation.id != last {
				last = in.reservation.id
				out.Reservations.Items = append(out.Reservations.Items, reservationXML{ID: last, Owner: q.realm.account})
			}
			r := &out.Reservations.Items[len(out.Reservations.Items)-1]
			state, reason := in.shownState(q.at, c.knobs.StateLag)
			r.Instances.Items = append(r.Instances.Items, in.xml(q.at, state, reason))
		}
		return out, nil
	},
}

// instancePage finds the instances that a call names, or the page of all that pass its filters. Named instances of other
// accounts are left out (SDK documentation of DescribeInstances).
func (q *call) instancePage(set string, keep func(*instance) bool) (list []*instance, next string, err *apiError) {
	if err := q.byIDOrPaged("InstanceId", set); err != nil {
		return nil, "", err
	}
	if err := q.withinReach(); err != nil {
		return nil, "", err
	}
	after, err := q.after()
	if err != nil {
		return nil, "", err
	}
	if ids := q.list("InstanceId"); ids != nil {
		named, err := q.visibleInstances(slices.DeleteFunc(ids, q.theirs))
		return slices.DeleteFunc(named, func(in *instance) bool { return !keep(in) }), "", err
	}
	size, err := q.pageSize()
	if err != nil {
		return nil, "", err
	}
	serial, _ := strconv.ParseUint(after, 10, 64) // "" is the beginning
	for _, in := range q.realm.launchedAfter(serial) {
		if !in.visible(q.at) || !keep(in) {
			continue
		}
		if size > 0 && len(list) == size {
			return list, q.nextToken(strconv.FormatUint(list[size-1].serial, 10)), nil
		}
		list = append(list, in)
	}
	return list, "", nil
}
