package localaws

import (
	"slices"
	"strings"
	"time"
)

type classicZones struct {
	AvailabilityZones members[string]
}

type classicSubnets struct {
	Subnets members[string]
}

func enableClassicZones(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	if err := lb.enable(q, q.list("AvailabilityZones")); err != nil {
		return nil, err
	}
	return lb.moved(q), nil
}

func disableClassicZones(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	off := q.list("AvailabilityZones")
	return lb.shrink(q, func(p place) bool { return slices.Contains(off, p.zone) })
}

func attachClassicSubnets(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	if err := lb.attach(q, q.list("Subnets")); err != nil {
		return nil, err
	}
	lb.moved(q)
	return classicSubnets{lb.subnets()}, nil
}

func detachClassicSubnets(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	off := q.list("Subnets")
	if _, err := lb.shrink(q, func(p place) bool { return slices.Contains(off, p.subnet) }); err != nil {
		return nil, err
	}
	return classicSubnets{lb.subnets()}, nil
}

// shrink leaves places; the last one stays.
func (lb *classicBalancer) shrink(q *call, leaves func(place) bool) (any, *apiError) {
	left := slices.DeleteFunc(slices.Clone(lb.places), leaves)
	if len(left) == 0 {
		return nil, badConfiguration("A load balancer must have at least one Availability Zone")
	}
	before := lb.zones
	if lb.leaving == nil {
		lb.leaving = map[string]time.Time{}
	}
	lb.settle(left)
	for _, zone := range before {
		if !lb.placed(zone) {
			lb.leaving[zone] = q.at.Add(lb.realm.draw(lb.realm.c.knobs.Balancers.ClassicZoneLeaving, "leaving/"+lb.name+"/"+zone, lb.changes))
		}
	}
	return lb.moved(q), nil
}

// moved lets the members feel that the set of zones changed.
func (lb *classicBalancer) moved(q *call) classicZones {
	q.effect("zones of %s: %s", lb.name, strings.Join(lb.zones, ", "))
	lb.rezone(lb.pool)
	return classicZones{membersOf(slices.Clone(lb.zones))}
}
