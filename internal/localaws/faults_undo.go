package localaws

import (
	"maps"
	"slices"
)

// undoing is what ends a part of a world fault. Like a job it is data, so that a world can be saved with the faults in it.
type undoing interface{ undo(c *Cloud) }

// faultBegins and faultEnds are the moments of a world fault.
type (
	faultBegins struct{ h *FaultHandle }
	faultEnds   struct{ h *FaultHandle }
)

func (j faultBegins) run(*Cloud) { j.h.begin() }

func (j faultEnds) run(*Cloud) { j.h.end() }

// saidOver tells that what lasted while the fault was on is as it was.
type saidOver struct {
	realm            *realm
	part, name, text string
}

func (u saidOver) undo(c *Cloud) {
	c.recordChange(u.realm, u.part, u.name, u.text, "as it was", "set from outside")
}

type repaired struct{ in *instance }

func (u repaired) undo(c *Cloud) { c.repair(u.in) }

// appReleased lets an application answer by itself.
type appReleased struct {
	in  *instance
	why string
}

func (u appReleased) undo(c *Cloud) { c.releaseApp(u.in, u.why) }

type zoneBack struct {
	realm *realm
	zone  string
}

func (u zoneBack) undo(*Cloud) { u.realm.setOut(u.zone, false) }

// full leaves room for few servers or none of some types in a zone of the home realm.
func (h *FaultHandle) full() {
	home := h.c.realm(h.c.Realm.key)
	for _, zone := range home.zones {
		if !matches(h.world.Name, zone) {
			continue
		}
		h.hits.Add(1)
		for _, kind := range slices.Sorted(maps.Keys(instanceTypes)) {
			if !matches(h.world.Types, kind) {
				continue
			}
			key := capacityKey{kind, zone}
			room, limited := home.capacity[key]
			h.undo = append(h.undo, roomAsItWas{home, key, limited, room})
			home.capacity[key] = h.world.Room
		}
		h.c.recordChange(home, "zone", zone, "", h.text, "set from outside")
		h.undo = append(h.undo, saidOver{home, "zone", zone, h.text})
	}
}

type roomAsItWas struct {
	realm   *realm
	key     capacityKey
	limited bool
	room    int
}

func (u roomAsItWas) undo(*Cloud) {
	if u.limited {
		u.realm.capacity[u.key] = u.room
	} else {
		delete(u.realm.capacity, u.key)
	}
}

// shift begins a zonal shift of the load balancers of the home realm that match and can be shifted.
func (h *FaultHandle) shift() {
	home := h.c.realm(h.c.Realm.key)
	for _, arn := range slices.Sorted(maps.Keys(home.balancers.v2)) {
		lb := home.balancers.v2[arn]
		if (matches(h.world.Name, lb.name) || matches(h.world.Name, arn)) && lb.unshiftable(h.world.From) == nil {
			h.hits.Add(1)
			lb.beginShift(h.world.From)
			h.undo = append(h.undo, shiftEnds{home, arn})
		}
	}
}

type shiftEnds struct {
	realm *realm
	arn   string
}

func (u shiftEnds) undo(*Cloud) {
	if lb := u.realm.balancers.v2[u.arn]; lb != nil { // of the world that there is then
		lb.endShift()
	}
}
