package localaws

import "fmt"

// ShiftZone begins a zonal shift of an Application or Network Load Balancer away from one of its zones, as a person does with
// the Application Recovery Controller, until end is called. The zone's node leaves the load balancer's name; where nodes
// reach the members of all zones, none sends requests to those of the zone any more. Health checks go on, and
// DescribeTargetHealth says healthy and, beside it, that an override is active. It fails where the load balancer or
// the zone is not known, where another shift is active, and where the attribute zonal_shift.config.enabled is off.
func (r Realm) ShiftZone(name, zone string) (end func(), err error) {
	r.edit(func(r *realm) {
		lb := r.balancers.v2Named(name)
		if lb == nil {
			err = fmt.Errorf("there is no Application or Network Load Balancer %s", name)
			return
		}
		if err = lb.unshiftable(zone); err != nil {
			return
		}
		lb.beginShift(zone)
		arn := lb.arn
		end = func() { Realm{r.c, realmKey{r.account, r.region}}.edit(func(r *realm) { shiftEnds{r, arn}.undo(r.c) }) }
	})
	return end, err
}

// unshiftable is why a zonal shift away from a zone cannot begin; nil where it can.
func (lb *loadBalancer) unshiftable(zone string) error {
	switch {
	case lb.attrs[zonalShiftAttribute] != "true":
		return fmt.Errorf("%s is not true of the load balancer %s", zonalShiftAttribute, lb.name)
	case !lb.placed(zone):
		return fmt.Errorf("the zone %s is not enabled for the load balancer %s", zone, lb.name)
	case lb.shifted != "":
		return fmt.Errorf("a zonal shift of the load balancer %s away from %s is active", lb.name, lb.shifted)
	}
	return nil
}

func (lb *loadBalancer) beginShift(zone string) { lb.shift(zone, "shifted", "a zonal shift began") }

func (lb *loadBalancer) endShift() { lb.shift("", "served", "the zonal shift ended") }

// shift takes a zone of the load balancer out of use; empty: none.
func (lb *loadBalancer) shift(zone, state, why string) {
	of := zone
	if of == "" {
		of = lb.shifted
	}
	lb.realm.c.recordChange(lb.realm, "zone", lb.name+"/"+of, "", state, why)
	lb.shifted = zone
	lb.publish()
}

// overrideOnWire is what DescribeTargetHealth says of zonal shifts, where they are enabled.
type overrideOnWire struct {
	State, Reason, Description string
}

// override is that of a member (SDK documentation of AdministrativeOverride). Which of the two states of a shift a target has,
// no page says; assumed: active where nodes of other zones would send it requests, and else left to DNS.
func (m *member) override() *overrideOnWire {
	rules, isGroup := m.pool.rules.(groupRules)
	if !isGroup || rules.tg.lb == nil || rules.tg.lb.attrs[zonalShiftAttribute] != "true" {
		return nil
	}
	switch {
	case rules.tg.lb.shifted != m.inst.az:
		return &overrideOnWire{"no_override", "AdministrativeOverride.NoOverride", "No override is currently active on target"}
	case rules.crossZone():
		return &overrideOnWire{"zonal_shift_active", "AdministrativeOverride.ZonalShiftActive", "Zonal shift is active on target"}
	}
	return &overrideOnWire{"zonal_shift_delegated_to_dns", "AdministrativeOverride.ZonalShiftDelegatedToDns", "Zonal shift of target is delegated to DNS"}
}

// shiftedAway tells whether a zonal shift keeps the nodes of other zones from a member.
func (m *member) shiftedAway() bool {
	rules, isGroup := m.pool.rules.(groupRules)
	return isGroup && rules.tg.lb != nil && rules.tg.lb.shifted == m.inst.az && rules.crossZone()
}
