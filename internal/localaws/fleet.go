package localaws

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// fleet is one CreateFleet of type instant: a record of what it launched. Guarded by Cloud.mu.
type fleet struct {
	*tagged
	instances []*instance
	state     string
	answer    fleetAnswer // to CreateFleet
}

const (
	fleetActive  = "active"
	fleetDeleted = "deleted_terminating"
	// What one call may ask for (EC2 user guide, EC2 Fleet quotas; SDK documentation of CreateFleet and DeleteFleets).
	maxFleetTarget     = 10000
	maxFleetMinimum    = 1000
	maxDeletedFleets   = 25
	maxFleetsInstances = 1000
)

func fleetOperations() map[string]operation {
	override := "LaunchTemplateConfigs.N.Overrides.N."
	params := []string{"DryRun:bool", "ClientToken", "Type", "LaunchTemplateConfigs.N.LaunchTemplateSpecification.LaunchTemplateId",
		"LaunchTemplateConfigs.N.LaunchTemplateSpecification.LaunchTemplateName", "LaunchTemplateConfigs.N.LaunchTemplateSpecification.Version",
		"TargetCapacitySpecification.TotalTargetCapacity:int!", "TargetCapacitySpecification.OnDemandTargetCapacity:int",
		"TargetCapacitySpecification.SpotTargetCapacity:int", "TargetCapacitySpecification.DefaultTargetCapacityType",
		"OnDemandOptions.AllocationStrategy", "OnDemandOptions.SingleInstanceType:bool", "OnDemandOptions.SingleAvailabilityZone:bool",
		"OnDemandOptions.MinTargetCapacity:int",
		"TagSpecification.N.ResourceType", "TagSpecification.N.Tag.N.Key", "TagSpecification.N.Tag.N.Value",
		override + "InstanceType", override + "SubnetId", override + "AvailabilityZone", override + "ImageId", override + "Priority:float"}
	return map[string]operation{
		"CreateFleet":  writing((*Cloud).createFleet, params...),
		"DeleteFleets": writing((*Cloud).deleteFleets, "DryRun:bool", "FleetId.N!", "TerminateInstances:bool!"),
	}
}

// fleetRequest is one CreateFleet after its checks.
type fleetRequest struct {
	target, least    int
	oneType, oneZone bool
	tooLittle        bool // there is no room for the minimum, so that nothing is launched
	tags             map[string]map[string]string
	pools            []*fleetPool // in the order in which they are tried
}

// createFleet launches once, from one pool after the other, and tells of each that had no room; it succeeds with what there
// was, also with nothing (EC2 user guide, instant fleets).
func (c *Cloud) createFleet(q *call) (any, *apiError) {
	r, err := q.readFleet()
	if err != nil {
		return nil, err
	}
	if c.deniesAction("ec2:RunInstances") {
		return nil, q.denied(iamRequest{action: "ec2:RunInstances", resource: "*"}, notAllowed)
	}
	past, err := q.repeated()
	if err := firstError(err, q.dryRun()); err != nil {
		return nil, err
	}
	if past != nil {
		return past.fleet.answer, nil
	}
	f := &fleet{tagged: q.realm.newTagged(c.newFleetID(), "fleet", r.tags["fleet"]), state: fleetActive}
	q.realm.fleets[f.id] = f
	f.answer.ID = f.id
	for _, pool := range r.choose(c) {
		f.answer.add(pool, r.launch(c, f, pool))
	}
	q.effect("fleet %s launched %s", f.id, strings.Join(idsOf(f.instances), ", "))
	q.remember(pastRequest{fleet: f})
	return f.answer, nil
}

// newFleetID is a UUID after the prefix, unlike other ids of EC2.
func (c *Cloud) newFleetID() string {
	hex := c.newHex(16) + c.newHex(16)
	return "fleet-" + hex[:8] + "-" + hex[8:12] + "-" + hex[12:16] + "-" + hex[16:20] + "-" + hex[20:]
}

func (q *call) readFleet() (*fleetRequest, *apiError) {
	capacity, options := q.params.at("TargetCapacitySpecification"), q.params.at("OnDemandOptions")
	r := &fleetRequest{target: capacity.int("TotalTargetCapacity", 0), least: options.int("MinTargetCapacity", 0),
		oneType: options.bool("SingleInstanceType", false), oneZone: options.bool("SingleAvailabilityZone", false)}
	err := r.simulated(q)
	if err != nil {
		return nil, err
	}
	switch {
	case r.target < 0 || r.target > maxFleetTarget:
		return nil, refuse("InvalidParameterValue", "TotalTargetCapacity must be in the range 0-%d", maxFleetTarget)
	case r.least > maxFleetMinimum || r.least > r.target:
		return nil, refuse("InvalidParameterValue", "MinTargetCapacity must be at most %d and at most TotalTargetCapacity", maxFleetMinimum)
	case r.least > 0 && !r.oneType && !r.oneZone:
		return nil, refuse("InvalidParameterCombination", "MinTargetCapacity needs SingleInstanceType or SingleAvailabilityZone")
	}
	if r.tags, err = readTagSpecifications(q.params, "fleet", "instance", "volume", "network-interface"); err != nil {
		return nil, err
	}
	if r.pools, err = q.readFleetPools(); err != nil {
		return nil, err
	}
	return r, r.order(cmp.Or(options.str("AllocationStrategy"), "lowest-price"))
}

// simulated refuses what is not: fleets that live on, and spot capacity.
func (r *fleetRequest) simulated(q *call) *apiError {
	if kind := cmp.Or(q.str("Type"), "maintain"); kind != "instant" {
		return refuse("InvalidParameterValue", "Fleets of type '%s' are not simulated here; use instant", kind)
	}
	capacity := q.params.at("TargetCapacitySpecification")
	onDemand := capacity.int("OnDemandTargetCapacity", 0)
	rest := r.target - onDemand
	switch kind := capacity.str("DefaultTargetCapacityType"); {
	case kind != "" && kind != "spot" && kind != "on-demand":
		return refuse("InvalidParameterValue", "Value (%s) for parameter DefaultTargetCapacityType is invalid. Valid values here: on-demand.", kind)
	case onDemand < 0 || onDemand > max(r.target, 0):
		return refuse("InvalidParameterValue", "OnDemandTargetCapacity (%d) must be in the range 0-%d, the TotalTargetCapacity", onDemand, r.target)
	case capacity.int("SpotTargetCapacity", 0) < 0:
		return refuse("InvalidParameterValue", "SpotTargetCapacity must not be negative")
	}
	if capacity.int("SpotTargetCapacity", 0) > 0 || capacity.str("DefaultTargetCapacityType") == "spot" && rest > 0 {
		return refuse("InvalidParameterValue", "Spot capacity is not simulated here; use on-demand")
	}
	return nil
}

// order sorts the pools. Prices are not simulated: the smaller type counts as the cheaper one.
func (r *fleetRequest) order(strategy string) *apiError {
	switch strategy {
	case "prioritized":
		slices.SortStableFunc(r.pools, func(a, b *fleetPool) int { return cmp.Compare(a.priority, b.priority) })
	case "lowest-price":
		slices.SortStableFunc(r.pools, func(a, b *fleetPool) int {
			x, y := instanceTypes[a.kind], instanceTypes[b.kind]
			return cmp.Or(cmp.Compare(x.vcpus, y.vcpus), cmp.Compare(x.memory, y.memory))
		})
	default:
		return refuse("InvalidParameterValue", "Value (%s) for parameter AllocationStrategy is invalid.", strategy)
	}
	return nil
}

// deletedFleetXML is what became of one fleet.
type deletedFleetXML struct {
	ID       string `xml:"fleetId"`
	Current  string `xml:"currentFleetState"`
	Previous string `xml:"previousFleetState"`
}

type keptFleetXML struct {
	ID    string        `xml:"fleetId"`
	Error responseError `xml:"error"`
}

// deleteFleets ends the instances of instant fleets with them; they cannot be kept (SDK documentation of DeleteFleets).
func (c *Cloud) deleteFleets(q *call) (any, *apiError) {
	ids, total := distinct(q.list("FleetId")), 0
	for _, id := range ids {
		if f := q.realm.fleets[id]; f != nil {
			total += len(f.instances)
		}
	}
	switch {
	case !q.bool("TerminateInstances", false):
		return nil, refuse("UnsupportedOperation", "The instances of a fleet of type instant are terminated when it is deleted")
	case len(ids) > maxDeletedFleets || total > maxFleetsInstances:
		return nil, refuse("InvalidParameterValue", "At most %d fleets of type instant, with %d instances, can be deleted in one call",
			maxDeletedFleets, maxFleetsInstances)
	}
	if err := q.dryRun(); err != nil {
		return nil, err
	}
	var out struct {
		Done   items[deletedFleetXML] `xml:"successfulFleetDeletionSet"`
		Failed items[keptFleetXML]    `xml:"unsuccessfulFleetDeletionSet"`
	}
	for _, id := range ids {
		f := q.realm.fleets[id]
		if f == nil {
			out.Failed.Items = append(out.Failed.Items, keptFleetXML{id, responseError{"fleetIdDoesNotExist", "The fleet ID '" + id + "' does not exist"}})
			continue
		}
		out.Done.Items = append(out.Done.Items, deletedFleetXML{id, fleetDeleted, f.state})
		f.state = fleetDeleted
		for _, in := range f.instances {
			c.shutDown(in, reasonUser, q.userInitiated(), "its fleet was deleted")
		}
		q.effect("deleted the fleet %s", id)
	}
	return out, nil
}

// fleetForm is what a pool of a fleet launches, as RunInstances would be asked.
func (r *fleetRequest) fleetForm(p *fleetPool, least, most int) url.Values {
	form := maps.Clone(p.form)
	form.Set("MinCount", strconv.Itoa(least))
	form.Set("MaxCount", strconv.Itoa(most))
	n := 0
	for _, kind := range slices.Sorted(maps.Keys(r.tags)) {
		if kind == "fleet" {
			continue
		}
		n++
		spec := "TagSpecification." + strconv.Itoa(n) + "."
		form.Set(spec+"ResourceType", kind)
		for i, key := range slices.Sorted(maps.Keys(r.tags[kind])) {
			tag := spec + "Tag." + strconv.Itoa(i+1) + "."
			form.Set(tag+"Key", key)
			form.Set(tag+"Value", r.tags[kind][key])
		}
	}
	return form
}
