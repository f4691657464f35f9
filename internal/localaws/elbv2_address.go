package localaws

import "net/netip"

// The kinds of targets, as on the wire.
const (
	byInstance = "instance"
	byAddress  = "ip"
)

// named is the instance that a target's id or address stands for; nil if there is none. An address in the group's network
// that nobody has is one that nothing answers at.
func (tg *targetGroup) named(id string) *instance {
	if tg.kind == byInstance {
		return tg.realm.instances[id]
	}
	address, err := netip.ParseAddr(id)
	if err != nil {
		return nil
	}
	for _, s := range tg.realm.subnets {
		if s.vpcID == tg.vpcID && s.cidr.Contains(address) {
			return s.occupant(tg.realm, id)
		}
	}
	return nil
}

// occupant is the instance with that address, or what stands for a vacant one.
func (s *subnet) occupant(r *realm, address string) *instance {
	for _, in := range r.instances {
		if in.privateIP == address && in.subnetID == s.id && in.state != stateTerminated {
			return in
		}
	}
	return &instance{tagged: &tagged{id: address}, realm: r, az: s.az, subnetID: s.id, vpcID: s.vpcID, privateIP: address, state: stateTerminated}
}

// moveIn lets the targets that are the address of a new instance reach it.
func (b *balancers) moveIn(in *instance) {
	for _, m := range b.members[in.privateIP] {
		if m.inst.subnetID != in.subnetID || m.inst == in {
			continue
		}
		m.inst = in
		if m.backend != nil && m.phase != draining {
			m.cut()
			m.attach()
		}
		m.reconsider()
	}
}

// answer is what a request to the member gets now. Nothing answers at the address of an instance that is not there.
func (m *member) answer() int {
	if m.pool.addresses && m.inst.state != stateRunning && m.inst.state != statePending {
		return AppUnreachable
	}
	return m.inst.answer()
}

// stillDrains refuses an address that drains: unlike an instance, it can be registered again only when the delay is over
// (Application Load Balancers guide, deregistration delay).
func (tg *targetGroup) stillDrains(key memberKey) *apiError {
	if m := tg.pool.members[key]; m != nil && m.phase == draining {
		return refuse("InvalidTarget", "The following targets are being deregistered and cannot be registered: '%s'", key.id)
	}
	return nil
}

// zonesFit checks the zones that a registration names: only addresses have one, and it is that of their subnet (SDK
// documentation of TargetDescription).
func (tg *targetGroup) zonesFit(q *call) *apiError {
	for _, p := range q.structs("Targets") {
		zone := p.str("AvailabilityZone")
		switch in := tg.named(p.str("Id")); {
		case zone == "":
		case tg.kind == byInstance:
			return refuse("ValidationError", "You cannot specify an Availability Zone for a target of type 'instance'")
		case in != nil && in.az != zone:
			return refuse("ValidationError", "The Availability Zone '%s' is not that of the IP address '%s', which is in '%s'", zone, p.str("Id"), in.az)
		}
	}
	return nil
}
