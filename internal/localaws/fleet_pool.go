package localaws

import (
	"net/url"
)

// fleetPool is one type in one subnet or zone that a fleet may launch from: a launch template with an override.
type fleetPool struct {
	q        *call
	template *launchTemplate
	version  *templateVersion
	form     url.Values // what the override says
	priority float64
	kind, az string // az is empty where neither subnet nor zone is named
	override fleetOverrideXML
}

type fleetOverrideXML struct {
	Type     string `xml:"instanceType,omitempty"`
	Subnet   string `xml:"subnetId,omitempty"`
	AZ       string `xml:"availabilityZone,omitempty"`
	Image    string `xml:"imageId,omitempty"`
	Priority string `xml:"priority,omitempty"`
}

type fleetSourceXML struct {
	Template struct {
		ID      string `xml:"launchTemplateId"`
		Version string `xml:"version"`
	} `xml:"launchTemplateSpecification"`
	Override fleetOverrideXML `xml:"overrides"`
}

type fleetErrorXML struct {
	Source  fleetSourceXML `xml:"launchTemplateAndOverrides"`
	Life    string         `xml:"lifecycle"`
	Code    string         `xml:"errorCode"`
	Message string         `xml:"errorMessage"`
}

type fleetInstancesXML struct {
	Source fleetSourceXML `xml:"launchTemplateAndOverrides"`
	Life   string         `xml:"lifecycle"`
	IDs    items[string]  `xml:"instanceIds"`
	Type   string         `xml:"instanceType"`
}

// fleetAnswer is what CreateFleet answers.
type fleetAnswer struct {
	ID        string                   `xml:"fleetId"`
	Errors    items[fleetErrorXML]     `xml:"errorSet"`
	Instances items[fleetInstancesXML] `xml:"fleetInstanceSet"`
}

// poolResult is what one pool gave.
type poolResult struct {
	started []*instance
	failed  *apiError
}

func (a *fleetAnswer) add(p *fleetPool, got poolResult) {
	source := fleetSourceXML{Override: p.override}
	source.Template.ID, source.Template.Version = p.template.id, p.q.str("Version")
	if source.Template.Version == "" {
		source.Template.Version = "$Default"
	}
	if got.failed != nil {
		a.Errors.Items = append(a.Errors.Items, fleetErrorXML{source, "on-demand", got.failed.Code, got.failed.Message})
	}
	if len(got.started) > 0 {
		a.Instances.Items = append(a.Instances.Items, fleetInstancesXML{source, "on-demand", itemsOf(idsOf(got.started)), got.started[0].instanceType})
	}
}

// readFleetPools makes a pool of each override, and one of a template without any.
func (q *call) readFleetPools() ([]*fleetPool, *apiError) {
	var pools []*fleetPool
	subnets := map[string]string{} // by zone
	for _, config := range q.structs("LaunchTemplateConfigs") {
		spec := *q
		spec.params = config.at("LaunchTemplateSpecification")
		if spec.params == nil {
			return nil, q.service.protocol.missingParameter("LaunchTemplateSpecification")
		}
		t, err := spec.launchTemplate("LaunchTemplateId", "LaunchTemplateName")
		if err != nil {
			return nil, err
		}
		v, err := t.version(spec.str("Version"))
		if err != nil {
			return nil, err
		}
		overrides := config.structs("Overrides")
		if overrides == nil {
			overrides = []*params{{}}
		}
		for _, o := range overrides {
			p := &fleetPool{q: &spec, template: t, version: v}
			if err := p.read(q.realm, o, subnets); err != nil {
				return nil, err
			}
			pools = append(pools, p)
		}
	}
	if pools == nil {
		return nil, q.service.protocol.missingParameter("LaunchTemplateConfigs")
	}
	return pools, nil
}

// read takes over an override; a fleet has at most one subnet in each zone (EC2 user guide, instant fleets).
func (p *fleetPool) read(r *realm, o *params, subnets map[string]string) *apiError {
	p.form = url.Values{}
	for name, param := range map[string]string{"InstanceType": "InstanceType", "SubnetId": "SubnetId", "ImageId": "ImageId",
		"AvailabilityZone": "Placement.AvailabilityZone"} {
		if o.has(name) {
			p.form.Set(param, o.str(name))
		}
	}
	p.override = fleetOverrideXML{o.str("InstanceType"), o.str("SubnetId"), o.str("AvailabilityZone"), o.str("ImageId"), o.str("Priority")}
	p.priority = o.float("Priority")
	whole := overridden(p.version.data, p.form, false)
	p.kind, p.az = whole.Get("InstanceType"), whole.Get("Placement.AvailabilityZone")
	if id := whole.Get("SubnetId"); r.subnets[id] != nil {
		p.az = r.subnets[id].az
		if other := subnets[p.az]; other != "" && other != id {
			return refuse("InvalidParameterCombination", "A fleet can have only one subnet in each Availability Zone: '%s' and '%s' are both in %s", other, id, p.az)
		}
		subnets[p.az] = id
	}
	return nil
}

// prepare makes the launch of a pool, and how many instances there is room for.
func (r *fleetRequest) prepare(c *Cloud, p *fleetPool, most int) (*call, *launch, int, *apiError) {
	sub := *p.q
	sub.form = overridden(p.version.data, r.fleetForm(p, 1, most), c.knobs.TemplateTagsReplaced)
	sub.params = parseParams(sub.form)
	sub.template, sub.templateVersion = p.template, p.version
	l, err := sub.readLaunch()
	if err != nil {
		return nil, nil, 0, err
	}
	if err := l.place(&sub); err != nil {
		return nil, nil, 0, err
	}
	if err := l.resolve(c, &sub); err != nil {
		return nil, nil, 0, err
	}
	if sub.realm.out[l.subnet.az] {
		return nil, nil, 0, zoneIsOut()
	}
	room, err := l.fit(sub.realm)
	return &sub, l, room, err
}

// launch starts what the pool has room for of what the fleet still lacks.
func (r *fleetRequest) launch(c *Cloud, f *fleet, p *fleetPool) poolResult {
	lacks := min(r.target-len(f.instances), maxLaunch)
	if lacks <= 0 {
		return poolResult{}
	}
	sub, l, room, err := r.prepare(c, p, lacks)
	if err == nil && r.tooLittle {
		err = refuse("UnfulfillableCapacity", "Unable to fulfill capacity due to your request configuration. Please adjust your request and try again.")
	}
	if err != nil {
		return poolResult{failed: err}
	}
	if c.knobs.FleetSpendsLaunchTokens {
		sub.action = "RunInstances"
		if err := c.spend(sub, room); err != nil {
			return poolResult{failed: err}
		}
	}
	if l.tags["instance"] == nil {
		l.tags["instance"] = map[string]string{}
	}
	l.tags["instance"]["aws:ec2:fleet-id"] = f.id
	started := c.launch(sub, l, room)
	f.instances = append(f.instances, started...)
	return poolResult{started: started}
}

// choose leaves the pools that the fleet may use: with SingleInstanceType or SingleAvailabilityZone those of the first type or
// zone that has room for enough.
func (r *fleetRequest) choose(c *Cloud) []*fleetPool {
	if !r.oneType && !r.oneZone {
		return r.pools
	}
	type group struct{ kind, az string }
	var groups []group
	members := map[group][]*fleetPool{}
	for _, p := range r.pools {
		var g group
		if r.oneType {
			g.kind = p.kind
		}
		if r.oneZone {
			g.az = p.az
		}
		if members[g] == nil {
			groups = append(groups, g)
		}
		members[g] = append(members[g], p)
	}
	for _, g := range groups {
		if r.room(c, members[g]) >= max(r.least, 1) {
			return members[g]
		}
	}
	r.tooLittle = r.least > 0
	return members[groups[0]]
}

// room is how many instances the pools could give together, as far as one does not take from another.
func (r *fleetRequest) room(c *Cloud, pools []*fleetPool) (n int) {
	for _, p := range pools {
		if _, _, room, err := r.prepare(c, p, min(r.target, maxLaunch)); err == nil {
			n += room
		}
	}
	return min(n, r.target)
}
