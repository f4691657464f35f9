package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The laws, as filters over the plan. A stage may plan what it likes: nothing passes that breaks one of these. Each guard
// looks at the reading and at memory itself and trusts no stage. It answers why an action is held back, or nothing.
var guards = []struct {
	law  string
	hold func(*view, Action) string
}{
	{"law 6: only what is ours", (*view).holdForeign},
	{"law 2: no removal without eyes", (*view).holdBlind},
	{"law 1: add before remove", (*view).holdRemoval},
	{"law 4 and 7: end only what is over", (*view).holdEnd},
	{"law 5: the token is in memory first", (*view).holdLaunch},
}

// heldTooLong is when a removal that a guard holds back is worth a person's attention.
const heldTooLong = 30 * time.Second

// guard takes out of the plan what breaks a law, together with what it let pass before, and remembers why.
func (v *view) guard(stage Stage) {
	plan := v.actions
	v.actions = nil
	for _, a := range plan {
		if law, why := v.holds(a); why != "" {
			v.held = append(v.held, Note{About: law, Text: why})
			continue
		}
		v.actions = append(v.actions, a)
	}
	v.noteLeft()
	if len(v.held) == 0 {
		return
	}
	v.wait("it to be safe: " + v.held[0].Text)
	if !v.lasting("held/"+string(stage), v.mixed(), heldTooLong) {
		v.againFor("held")
		return
	}
	v.again(stuckEvery)
	v.stall(ReasonUnsafe, "both versions stay in production: "+v.held[0].Text+"; mend the servers, and it goes on by itself")
}

func (v *view) holds(a Action) (law, why string) {
	for _, g := range guards {
		if why := g.hold(v, a); why != "" {
			return g.law, why
		}
	}
	return "", ""
}

// holdForeign: servers, pool members and tags that are not ours are never touched.
func (v *view) holdForeign(a Action) string {
	ours := ids(v.ours())
	if tag, ok := a.(Tag); ok && tag.Adopt {
		ours = ids(v.in.World.Adoptable)
	}
	for _, id := range targets(a) {
		if !slices.Contains(ours, id) {
			return fmt.Sprintf("server %s is not ours", id)
		}
	}
	return ""
}

// targets are the existing servers that an action touches.
func targets(a Action) []string {
	switch a := a.(type) {
	case Register:
		return a.Servers
	case Deregister:
		return a.Servers
	case Tag:
		return a.Servers
	case Terminate:
		return a.Servers
	}
	return nil
}

// holdBlind: a reading that failed is evidence of nothing. Without EC2 only Register goes on; a pool that cannot be read
// removes nothing anywhere. A pool that AWS has long said does not exist has no members, which is enough to terminate.
// Deletion looks at each pool for itself.
func (v *view) holdBlind(a Action) string {
	_, deregisters := a.(Deregister)
	_, terminates := a.(Terminate)
	if _, registers := a.(Register); !registers && v.in.World.ServersErr != "" {
		return "EC2 cannot be read: " + v.in.World.ServersErr
	}
	if v.in.Spec.Deleting || (!deregisters && !terminates) {
		return ""
	}
	for _, p := range v.in.World.Pools {
		if p.Use != UseReleased && !p.Readable() && (deregisters || !v.vanished(p)) {
			return fmt.Sprintf("nothing is removed while pool %s cannot be read: %s", p.Label(), p.Err)
		}
	}
	return ""
}

// holdRemoval: a server leaves a production pool only if enough healthy ones stay.
//
//	who leaves                        who must stay, healthy in this reading of this pool
//	others, for stable to serve       what the rollback gate asks for (rollback.go), never less than one
//	anybody else                      the asked-for servers, never less than one
//	in a pool without cross-zone      the same in every zone that a healthy server leaves: one, or the zone's share of
//	balancing                         the asked-for. 5 asked for over 2 zones: 2 in each
//	only such as do not run           nobody: nothing reaches them
//
// One of which AWS could not tell how it is counts as healthy where it leaves, and not where it stays.
func (v *view) holdRemoval(a Action) string {
	d, ok := a.(Deregister)
	if !ok || d.Pool.Use != UseProduction || v.in.Spec.Deleting {
		return ""
	}
	leaving := leavers(slices.Concat(v.actions, []Action{a}), d.Pool)
	runs := func(s Server) bool { return s.State == StateRunning && slices.Contains(leaving, s.ID) }
	if !slices.ContainsFunc(v.ours(), runs) {
		return ""
	}
	stays := slices.DeleteFunc(d.Pool.healthy(v.ours()), func(s Server) bool { return slices.Contains(leaving, s.ID) })
	leaves := slices.DeleteFunc(d.Pool.maybeHealthy(v.ours()), func(s Server) bool { return !slices.Contains(leaving, s.ID) })
	need := v.asked
	if v.restoring(d) {
		if !v.rollbackGate() {
			return fmt.Sprintf("%s: the stable version is not back in every production pool", d.Pool.Label())
		}
		need = 1
	}
	if len(leaves) == 0 {
		need = 1 // a balancer without healthy members may send to sick ones
	}
	if len(stays) < need {
		return fmt.Sprintf("%s: %d healthy servers would stay and %d are asked for", d.Pool.Label(), len(stays), need)
	}
	return v.holdZone(d.Pool, v.served(d, leaves), stays, need)
}

// served are those of the leavers that their zone would miss: on the way back only the healthy ones, for a zone that is shifted away from
// serves nobody.
func (v *view) served(d Deregister, leaves []Server) []Server {
	if v.restoring(d) {
		return slices.DeleteFunc(slices.Clone(leaves), func(s Server) bool {
			m, _ := d.Pool.member(s.ID)
			return m.State != MemberHealthy && m.Reason != leftWords // who was to leave, and did not, serves
		})
	}
	return leaves
}

// restoring: stable serves, and others leave.
func (v *view) restoring(d Deregister) bool {
	return v.stable != nil && !v.takesOver() && !slices.ContainsFunc(v.stable.all(), func(s Server) bool {
		return slices.Contains(d.Servers, s.ID)
	})
}

// holdZone is law 1 for each zone of a pool that does not balance across zones.
func (v *view) holdZone(p Pool, leaves, stays []Server, need int) string {
	share := v.zoneShare(p, nil, need)
	for _, s := range leaves {
		if n := inZone(stays, s.Zone); n < share {
			return fmt.Sprintf("%s does not balance across zones: %d healthy servers would stay in %s and %d are needed there", p.Label(), n, s.Zone, share)
		}
	}
	return ""
}

// zoneShare is how many of the needed servers law 1 asks for in each zone of a pool that does not balance across zones, once
// more servers have come: 5 over 2 zones, 2 in each. None where the pool does balance; and none for a Release of fewer servers
// than there are zones, which cannot serve in each of them: that is what was asked for.
func (v *view) zoneShare(p Pool, more []Server, need int) int {
	zones := map[string]bool{}
	for _, s := range slices.Concat(p.registered(v.ours()), more) {
		zones[s.Zone] = true
	}
	if !p.ZonalOnly || v.in.Spec.Replicas < len(zones) {
		return 0
	}
	return perZone(need, len(zones))
}

// perZone is a zone's share of the needed servers, at least one.
func perZone(need, zones int) int { return max(1, need/max(1, zones)) }

// zoneLack names a zone in which the candidate, as it is ready in Preview, could not take over from stable; empty where it can.
func (v *view) zoneLack(p Pool) string {
	if v.stable == nil {
		return ""
	}
	ready := v.previewReady()
	share := v.zoneShare(p, ready, v.asked)
	for _, s := range p.healthy(v.stable.all()) {
		if inZone(ready, s.Zone) < share {
			return s.Zone
		}
	}
	return ""
}

func inZone(servers []Server, zone string) int {
	n := 0
	for _, s := range servers {
		if s.Zone == zone {
			n++
		}
	}
	return n
}

// holdEnd: a server is terminated only when it is ours and not held by a person, has long been in no pool that memory or
// spec knows, does not drain, and its fleet is over, or does not need it.
func (v *view) holdEnd(a Action) string {
	t, ok := a.(Terminate)
	if !ok {
		return ""
	}
	for _, id := range t.Servers {
		f, s := v.find(id)
		switch {
		case f == nil || slices.ContainsFunc(f.heldOut, func(h Server) bool { return h.ID == id }):
			return fmt.Sprintf("server %s is held by a person", id)
		case !v.lasting("out/"+id, v.inPool(s, f) == "", v.outBefore(f)):
			return fmt.Sprintf("server %s has not been out of every pool for %s", id, v.outBefore(f))
		case !v.over(f, s):
			return fmt.Sprintf("server %s belongs to version %s, which is still needed", id, f.label)
		}
	}
	return ""
}

// over: the phase calls for the end of this server.
func (v *view) over(f *fleet, s Server) bool {
	needed := f == v.stable || f == v.candidate || f == v.kept
	spare := slices.ContainsFunc(slices.Concat(v.surplus(f), f.broken), func(e Server) bool { return e.ID == s.ID })
	return v.in.Spec.Deleting || !needed || spare
}

// find gives a server of ours and its fleet.
func (v *view) find(id string) (*fleet, Server) {
	for _, f := range v.fleets {
		for _, s := range f.all() {
			if s.ID == id {
				return f, s
			}
		}
	}
	return nil, Server{}
}

// holdLaunch: the attempt is in memory, open, and alone in covering its places.
func (v *view) holdLaunch(a Action) string {
	l, ok := a.(Launch)
	if !ok {
		return ""
	}
	r := v.memory.find(l.Revision)
	if r == nil {
		return "revision " + l.Revision + " is not in memory"
	}
	known := false
	for _, other := range r.Launches {
		switch {
		case other.Token == l.Attempt.Token:
			known = other.Open
		case other.Open && slices.ContainsFunc(other.Places, func(p int) bool { return slices.Contains(l.Attempt.Places, p) }):
			return fmt.Sprintf("attempt %d of version %s has an open place in common with attempt %d", l.Attempt.Number, r.Version, other.Number)
		}
	}
	if !known || strings.TrimSpace(l.Attempt.Token) == "" {
		return fmt.Sprintf("attempt %d of version %s is not in memory", l.Attempt.Number, r.Version)
	}
	return ""
}
