package localaws

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// WorldFault is something that goes wrong with a part of the world rather than with a call, at a chosen moment. The zero
// value of When is at once.
type WorldFault struct {
	// What it happens to: see the constants.
	What WorldPart
	// Name is a pattern. A server is found by its id or its Name tag, a load balancer and a pool by name or ARN, a zone
	// and an access key by themselves. The clock has no name.
	Name string
	// Do is what happens: see the constants.
	Do WorldEvent
	// When it happens.
	When WorldMoment
	// Count is how many of the servers that match are hit, chosen by the cloud's seed. 0: all.
	Count int
	// Back ends it that long after it began. 0: it lasts until the fault is removed. What was killed stays dead.
	Back time.Duration
	// Status is what the application answers, for Answer and in the bad half of Flap: an HTTP status, AppRefuses,
	// AppHangs or AppUnreachable. For Flap 0 means 500.
	Status int
	// Period of Flap: one half of it the application answers Status, the other half as it was launched to.
	Period time.Duration
	// Types of Full is a pattern of instance types, and Room is how many more servers of each EC2 starts in the zone.
	Types string
	Room  int
	// From of Shift is the zone that a load balancer is shifted away from.
	From string
	// Skew is how far AWS's clock is ahead of the cloud's; it may be negative.
	Skew time.Duration
}

// WorldPart is what a WorldFault happens to.
type WorldPart string

// The parts of the world.
const (
	PartServer   WorldPart = "server"
	PartBalancer WorldPart = "balancer" // a load balancer of either generation
	PartPool     WorldPart = "pool"     // a target group, or a classic load balancer
	PartZone     WorldPart = "zone"     // of the home realm
	PartKey      WorldPart = "key"      // an access key
	PartClock    WorldPart = "clock"    // AWS's own
)

// WorldEvent is what a WorldFault does.
type WorldEvent string

// The events, and which part each happens to.
const (
	EventKill     WorldEvent = "kill"     // a server: see Cloud.Kill
	EventShutDown WorldEvent = "shutdown" // a server: see Cloud.ShutDown
	EventImpair   WorldEvent = "impair"   // a server: see Cloud.Impair
	EventAnswer   WorldEvent = "answer"   // a server: its application answers Status
	EventFlap     WorldEvent = "flap"     // a server: its application is sick and well in turn
	EventVanish   WorldEvent = "vanish"   // a balancer, a pool: deleted from outside; its end makes it again, with its name and settings and empty
	EventOut      WorldEvent = "out"      // a zone: see Realm.OutOfZone
	EventFull     WorldEvent = "full"     // a zone: it has no room for servers of Types, or for Room of each; see Realm.SetCapacity
	EventShift    WorldEvent = "shift"    // a balancer: a zonal shift away From a zone; see Realm.ShiftZone
	EventExpire   WorldEvent = "expire"   // a key: its credentials are past their time
	EventSkew     WorldEvent = "skew"     // the clock: Date and the check of signing times are off
)

// WorldMoment is when a WorldFault happens: After that much of the cloud's time or, if Service or Action is set, right after
// the effect of such a call, of which the first Skip pass.
type WorldMoment struct {
	After           time.Duration
	Service, Action string
	Skip            int
}

// onCall tells whether it waits for a call.
func (m WorldMoment) onCall() bool { return m.Service != "" || m.Action != "" }

// InjectWorld lets a fault of the world happen at its moment.
func (c *Cloud) InjectWorld(f WorldFault) *FaultHandle {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.newFault(f.String())
	h.world = &f
	switch {
	case f.When.onCall():
	case f.When.After > 0:
		h.later(f.When.After, faultBegins{h})
	default:
		c.event(h.begin)
	}
	return h
}

// later schedules what Remove cancels.
func (h *FaultHandle) later(d time.Duration, what job) {
	h.waiting = append(h.waiting, h.c.after(d, what))
}

// worldAfter lets the faults happen that wait for such a call. Called with c.mu held.
func (c *Cloud) worldAfter(q *call) {
	for _, h := range c.faults.active {
		if h.world == nil || !h.world.When.onCall() || h.begun {
			continue
		}
		when := h.world.When
		if (&Fault{Service: when.Service, Action: when.Action}).matches(q) {
			if h.seen++; h.seen > when.Skip {
				c.event(h.begin)
			}
		}
	}
}

// begin is the moment.
func (h *FaultHandle) begin() {
	h.begun, h.on = true, true
	worldEvents[h.world.Do](h)
	if h.world.Back > 0 {
		h.later(h.world.Back, faultEnds{h})
	}
}

// end undoes what can be undone.
func (h *FaultHandle) end() {
	h.on = false
	for _, u := range slices.Backward(h.undo) {
		u.undo(h.c)
	}
	h.undo = nil
}

// worldEvents are what happens at the moment of each event.
var worldEvents = map[WorldEvent]func(*FaultHandle){
	EventKill:     (*FaultHandle).kill,
	EventShutDown: (*FaultHandle).shutDown,
	EventImpair:   (*FaultHandle).impair,
	EventAnswer:   (*FaultHandle).answer,
	EventFlap:     (*FaultHandle).flap,
	EventVanish:   (*FaultHandle).vanish,
	EventOut:      (*FaultHandle).out,
	EventFull:     (*FaultHandle).full,
	EventShift:    (*FaultHandle).shift,
	EventExpire:   (*FaultHandle).last, // see expires
	EventSkew:     (*FaultHandle).last, // see skew
}

// last is what happens to what is only asked whether the fault is on.
func (h *FaultHandle) last() {
	h.hits.Add(1)
	home, part, name := h.c.realm(h.c.Realm.key), string(h.world.What), h.world.Name
	h.c.recordChange(home, part, name, "", h.text, "set from outside")
	h.undo = append(h.undo, saidOver{home, part, name, h.text})
}

// servers are those that the fault happens to now.
func (h *FaultHandle) servers() []*instance {
	var found []*instance
	for _, in := range slices.SortedFunc(maps.Values(h.c.instances), func(a, b *instance) int { return cmp.Compare(a.id, b.id) }) {
		if in.state != stateTerminated && (matches(h.world.Name, in.id) || in.tags["Name"] != "" && matches(h.world.Name, in.tags["Name"])) {
			found = append(found, in)
		}
	}
	if n := h.world.Count; n > 0 && n < len(found) {
		rng := h.c.source("fault", h.name)
		rng.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
		found = found[:n]
	}
	h.hits.Add(int64(len(found)))
	return found
}

func (h *FaultHandle) kill() {
	for _, in := range h.servers() {
		h.c.terminated(in, reasonHardware, "killed from outside")
	}
}

func (h *FaultHandle) shutDown() {
	for _, in := range h.servers() {
		if in.state == stateRunning {
			h.c.shutDownItself(in)
		}
	}
}

func (h *FaultHandle) impair() {
	for _, in := range h.servers() {
		h.c.impair(in)
		h.undo = append(h.undo, repaired{in})
	}
}

func (h *FaultHandle) answer() {
	for _, in := range h.servers() {
		h.c.setAppStatus(in, h.world.Status, true, "set from outside")
		h.undo = append(h.undo, appReleased{in, "its own again"})
	}
}

// flap begins with the bad half.
func (h *FaultHandle) flap() {
	list := h.servers()
	flapTurns{h, list, true}.run(h.c)
	for _, in := range list {
		h.undo = append(h.undo, appReleased{in, "flaps no more"})
	}
}

// flapTurns begins a half of a period.
type flapTurns struct {
	h    *FaultHandle
	list []*instance
	sick bool
}

func (j flapTurns) run(c *Cloud) {
	if !j.h.on {
		return
	}
	for _, in := range j.list {
		if j.sick {
			c.setAppStatus(in, cmp.Or(j.h.world.Status, 500), true, "flaps")
		} else {
			c.releaseApp(in, "flaps")
		}
	}
	if slices.ContainsFunc(j.list, func(in *instance) bool { return in.state != stateTerminated }) {
		c.after(j.h.world.Period/2, flapTurns{j.h, j.list, !j.sick})
	}
}

func (h *FaultHandle) out() {
	home := h.c.realm(h.c.Realm.key)
	for _, zone := range home.zones {
		if matches(h.world.Name, zone) && !home.out[zone] {
			h.hits.Add(1)
			home.setOut(zone, true)
			h.undo = append(h.undo, zoneBack{home, zone})
		}
	}
}

// vanish deletes what matches, whatever would keep an API call from it.
func (h *FaultHandle) vanish() {
	for _, thing := range h.c.vanishing(h.world.What, h.world.Name) {
		h.hits.Add(1)
		h.undo = append(h.undo, thing())
	}
}

// expires tells whether a fault has made an access key expire. Called with c.mu held.
func (c *Cloud) expires(key string) bool {
	return slices.ContainsFunc(c.faults.active, func(h *FaultHandle) bool {
		return h.on && h.world.Do == EventExpire && matches(h.world.Name, key)
	})
}

// skew is how far AWS's clock is off, and whether it is. Called with c.mu held.
func (c *Cloud) skew() (off time.Duration, isOff bool) {
	for _, h := range c.faults.active {
		if h.on && h.world.Do == EventSkew {
			off, isOff = off+h.world.Skew, true
		}
	}
	return off, isOff
}
