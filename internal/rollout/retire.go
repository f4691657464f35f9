package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// retireOthers sees to every fleet that is neither stable, candidate nor kept: out of the pools, drained, in no pool for a
// while, ended. A fleet that is kept only leaves the pools.
func (v *view) retireOthers() {
	for _, f := range v.fleets {
		switch f {
		case v.stable, v.candidate:
		case v.kept:
			v.clear(f, "wait in no pool until the newest version is Live")
		default:
			v.retire(f)
		}
	}
}

// unknown: the fleet's record is lost, and it may be the one that the spec describes, as long as nobody could look that up.
func (v *view) unknown(f *fleet) bool { return f.Lost && v.in.Spec.Target == "" }

// retire ends a fleet.
func (v *view) retire(f *fleet) {
	if v.unknown(f) || v.in.World.ServersErr != "" {
		return
	}
	v.abandon(f)
	if len(f.all()) == 0 {
		return
	}
	v.clear(f, "retire")
	v.end(slices.Concat(f.servers, f.broken), f, "version "+f.label+" is retired")
}

// clear takes a fleet out of every pool. Out of production it goes only when the fleet that is to serve has passed the gate
// or has been put back everywhere; the latter is restore's business, unless the candidate is on its way in. Where there is
// neither, as before the first version is Live, it stays.
func (v *view) clear(f *fleet, why string) {
	v.leave(v.pools(UseTest), f, f.all(), why)
	v.leave(v.pools(UseReleased), f, f.all(), why+", released pool")
	passed := v.candidate != nil && !v.candidate.GateAt.IsZero()
	back := v.stable != nil && v.rollbackGate()
	if (passed || back) && !v.mustRestore() && !v.spared(f) {
		v.leave(v.pools(UseProduction), f, f.all(), why)
	}
}

// abandon closes open attempts of a fleet that nobody wants any more. Asking EC2 again could launch what never was; so good
// readings decide, after the time in which EC2 may still hide what it launched.
func (v *view) abandon(f *fleet) (open bool) {
	for i := range f.Launches {
		a := &f.Launches[i]
		if !v.settle(a, f) {
			continue
		}
		if v.lasting("abandon/"+a.Token, v.in.World.ServersErr == "", absentAfter) {
			a.Open, a.Servers = false, v.launchedWith(a.Token, f)
			continue
		}
		open = true
		v.wait(fmt.Sprintf("EC2 to show what launch attempt %d of version %s brought", a.Number, f.label))
	}
	return open
}

// end terminates those of the servers that have been in no pool for a while.
func (v *view) end(servers []Server, f *fleet, why string) {
	var over, left []Server
	rest := v.outBefore(f)
	for _, s := range servers {
		if v.lasting("out/"+s.ID, v.inPool(s, f) == "", rest) {
			over = append(over, s)
		} else {
			left = append(left, s)
		}
	}
	if len(left) > 0 {
		where := v.inPool(left[0], f)
		if where != "" {
			where = ": " + where
		}
		v.wait(fmt.Sprintf("%s of version %s to be drained and in no pool for %s%s", listed(ids(left)), f.label, rest, where))
		v.again(drainEvery)
	}
	if len(over) > 0 {
		if !v.in.Spec.Deleting { // a deletion frees no places, and has to know of each server until it is seen to end
			f.letGo(slices.DeleteFunc(slices.Clone(over), func(s Server) bool { return holds(f.broken, s) }))
		}
		v.do(Terminate{Servers: ids(over), Why: fmt.Sprintf("%s: terminate %s, in no pool for %s", why, listed(ids(over)), rest)})
		v.again(launchEvery)
	}
}

// outBefore is how long a server of the fleet is in no pool before it is terminated.
func (v *view) outBefore(f *fleet) time.Duration {
	if slices.ContainsFunc(v.in.World.Pools, func(p Pool) bool { return p.Readable() && p.Kind == KindNLB && slices.Contains(f.Pools, p.ID) }) {
		return nlbExtra
	}
	return outBeforeEnd
}

// inPool says in which pool a server is, or may be; empty when every pool that spec or memory knows was read, and the server
// is neither registered nor draining in any.
func (v *view) inPool(s Server, f *fleet) string {
	for _, p := range v.in.World.Pools {
		m, in := p.member(s.ID)
		switch {
		case in:
			return fmt.Sprintf("%s is in %s, %s", s.ID, p.Label(), strings.Join(nonEmpty(string(m.State), m.Reason), ", "))
		case slices.Contains(p.Unasked, s.ID):
			return fmt.Sprintf("whether %s is still in %s was not asked yet, or not answered", s.ID, p.Label())
		case !p.Readable() && !v.vanished(p):
			return fmt.Sprintf("pool %s cannot be read: %s", p.Label(), p.Err)
		}
	}
	for _, known := range f.Pools {
		if !slices.ContainsFunc(v.in.World.Pools, func(p Pool) bool { return p.ID == known }) {
			return fmt.Sprintf("pool %s, in which the fleet once was, was not read", known)
		}
	}
	return ""
}

// vanished: AWS has been saying for a while that there is no such pool. For terminating that means "no members". In a deletion the
// clock stands while AWS says nothing of the pool.
func (v *view) vanished(p Pool) bool {
	clock := "vanished/" + p.ID
	if !p.Readable() && !p.Missing {
		v.halted(clock)
		return false
	}
	return v.lasting(clock, p.Missing, absentAfter)
}

// trim lets go of the servers that a fleet does not want any more: more than replicas, given up, or held by a person.
func (v *view) trim(f *fleet) {
	if f == nil || v.in.World.ServersErr != "" || v.in.Spec.Paused {
		return
	}
	extra := v.surplus(f)
	out := slices.Concat(extra, f.broken, f.heldOut)
	if len(out) == 0 {
		return
	}
	v.leave(v.in.World.Pools, f, f.broken, "stopped or impaired for too long")
	v.leave(v.in.World.Pools, f, extra, "not needed any more")
	v.leave(v.in.World.Pools, f, f.heldOut, "held by a person")
	over := extra
	if len(f.running()) >= v.in.Spec.Replicas {
		over = slices.Concat(extra, f.broken) // replaced beside, now that the replacements run
	}
	v.end(over, f, "not needed any more")
}

// wanted are the running servers that belong into the fleet's pools: not those that trim lets go of.
func (v *view) wanted(f *fleet) []Server {
	extra := ids(v.surplus(f))
	return slices.DeleteFunc(f.running(), func(s Server) bool { return slices.Contains(extra, s.ID) })
}

// surplus are the servers beyond replicas: first those that are away, then those that boot or are not healthy where they are
// registered, then those of the zone that has most, then the youngest. A lost fleet is as it is.
func (v *view) surplus(f *fleet) []Server {
	n := len(f.servers) - v.in.Spec.Replicas
	if n <= 0 || f.Lost {
		return nil
	}
	worth := map[string]int{}
	for _, s := range f.servers {
		switch {
		case away(s):
			worth[s.ID] = -len(v.in.World.Pools) // less than any other, wherever it is healthy
		case s.State == StatePending:
			worth[s.ID] = 1
		default:
			worth[s.ID] = 2
		}
	}
	for _, p := range v.in.World.Pools {
		for _, s := range p.maybeHealthy(f.servers) {
			worth[s.ID]++
		}
	}
	var out []Server
	for stay := slices.Clone(f.servers); len(out) < n && len(stay) > 0; {
		least := slices.MinFunc(stay, func(a, b Server) int {
			return cmp.Or(worth[a.ID]-worth[b.ID], inZone(stay, b.Zone)-inZone(stay, a.Zone), b.Launched.Compare(a.Launched))
		})
		out = append(out, least)
		stay = slices.DeleteFunc(stay, func(s Server) bool { return s.ID == least.ID })
	}
	return out
}

// label brings the role tags in line with the roles: one call for a fleet. An old reading may show tags that were changed
// since.
func (v *view) label() {
	if v.in.World.ServersErr != "" {
		return
	}
	for _, f := range v.fleets {
		role := v.role(f)
		if role == RoleRetired && v.unknown(f) {
			continue
		}
		wrong := slices.DeleteFunc(slices.Clone(f.servers), func(s Server) bool { return s.Role == role })
		if len(wrong) > 0 {
			v.do(Tag{Servers: ids(wrong), Revision: f.Name, Role: role,
				Why: fmt.Sprintf("version %s is %s now: tag %s", f.label, role, listed(ids(wrong)))})
		}
	}
}

// role is what a fleet is now. A kept fleet keeps the role tag that it has: it may come back.
func (v *view) role(f *fleet) Role {
	switch f {
	case v.stable, v.kept:
		return RoleStable
	case v.candidate:
		return RoleCandidate
	}
	return RoleRetired
}

// forgetPools drops from memory the pools that left the spec and hold no server of ours any more.
func (v *view) forgetPools() {
	for _, p := range v.pools(UseReleased) {
		empty := p.Readable() && v.in.World.ServersErr == "" && !slices.ContainsFunc(v.ours(), func(s Server) bool {
			_, in := p.member(s.ID)
			return in
		})
		if v.lasting("empty/"+p.ID, empty, absentAfter) || v.vanished(p) {
			for _, f := range v.fleets {
				f.Pools = slices.DeleteFunc(f.Pools, func(id string) bool { return id == p.ID })
			}
		}
	}
}
