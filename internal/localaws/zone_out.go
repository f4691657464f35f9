package localaws

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// OutOfZone takes a zone of the realm out, as a power cut does, until back is called:
//
//   - its instances cannot be reached and fail their status checks; they keep their state;
//   - the load balancers' nodes in it answer nothing, and are not in the load balancers' names any more;
//   - nothing is launched or started in it;
//   - DescribeInstances and DescribeInstanceStatus fail where they ask for instances of the zone by id, or for everything.
//     Ids of other zones, and filters that leave the zone out, work (SDK documentation of DescribeInstances).
func (r Realm) OutOfZone(zone string) (back func()) {
	r.edit(func(r *realm) { r.setOut(zone, true) })
	return func() { r.edit(func(r *realm) { r.setOut(zone, false) }) }
}

// setOut takes a zone out or brings it back.
func (r *realm) setOut(zone string, out bool) {
	if r.out[zone] == out {
		return
	}
	from, to := "available", "out"
	if out {
		r.out[zone] = true
	} else {
		delete(r.out, zone)
		from, to = to, from
	}
	r.c.recordChange(r, "zone", zone, from, to, "set from outside")
	for _, lb := range r.c.balancers() {
		if lb.realm == r {
			lb.inOutage(zone, out)
		}
	}
	for _, p := range r.c.pools() {
		if p.realm == r {
			p.inOutage(zone)
		}
	}
	for _, in := range r.order {
		if in.az == zone && !in.gone {
			in.inOutage(out)
		}
	}
}

// inOutage makes the load balancer's node in a zone that is out, or back, feel that.
func (lb *balancer) inOutage(zone string, out bool) {
	for _, n := range lb.nodes {
		if n.zone == zone {
			n.down = out
			n.deaf.Store(out)
		}
	}
}

// inOutage lets the other nodes alone decide about the members, or the one that is back begin anew.
func (p *pool) inOutage(zone string) {
	for _, m := range p.members {
		m.renew(zone)
	}
	p.reconsider()
}

// inOutage makes an instance feel that its zone is out, or back. What was impaired before stays so.
func (in *instance) inOutage(out bool) {
	switch {
	case out && in.impairedSince.IsZero():
		in.impairedSince, in.impairedByZone = in.realm.c.now(), true
	case !out && in.impairedByZone:
		in.impairedSince, in.impairedByZone = time.Time{}, false
	}
	in.realm.c.balancersInstanceChanged(in)
}

// zoneIsOut is how EC2 answers for a zone that it cannot reach. AWS names no code for it; this is its own for a service that
// cannot answer.
func zoneIsOut() *apiError {
	return refuseWith(http.StatusServiceUnavailable, "Unavailable", "The server is overloaded and can't handle the request.")
}

// withinReach refuses a call about instances that asks for some of a zone that is out.
func (q *call) withinReach() *apiError {
	if len(q.realm.out) == 0 {
		return nil
	}
	if ids := q.list("InstanceId"); ids != nil {
		if slices.ContainsFunc(ids, q.lost) {
			return zoneIsOut()
		}
		return nil
	}
	if slices.ContainsFunc(q.structs("Filter"), q.spares) {
		return nil
	}
	return zoneIsOut()
}

// lost tells whether the id is that of an instance in a zone that is out.
func (q *call) lost(id string) bool {
	in := q.realm.instances[id]
	return in != nil && q.realm.out[in.az]
}

// spares tells whether a filter leaves out all zones that are out.
func (q *call) spares(filter *params) bool {
	var lost []string // what the filter may not let through
	switch filter.str("Name") {
	case "availability-zone":
		lost = slices.Collect(maps.Keys(q.realm.out))
	case "subnet-id":
		lost = inZones(q.realm.subnets, q.realm.out, func(s *subnet) string { return s.az })
	case "instance-id":
		lost = inZones(q.realm.instances, q.realm.out, func(in *instance) string { return in.az })
	default:
		return false
	}
	return !slices.ContainsFunc(filter.list("Value"), func(value string) bool {
		return slices.ContainsFunc(lost, func(name string) bool { return matches(value, name) })
	})
}

// inZones are the names of those things that are in one of the zones.
func inZones[T any](all map[string]T, zones map[string]bool, zoneOf func(T) string) (names []string) {
	for name, v := range all {
		if zones[zoneOf(v)] {
			names = append(names, name)
		}
	}
	return names
}
