package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// remove takes everything of ours away, or nothing at all, as deletionPolicy says. It is the one exception to laws 1 and 7.
func (v *view) remove() {
	if !v.in.Spec.TerminateOnDelete {
		v.gone = true
		return
	}
	v.soft.Since[lastLook] = v.in.Now
	if v.in.Spec.Refused.Some() { // nothing was read at all
		v.halt("absent", "abandon", "deserted", "vanished", "unread")
		v.refuse()
		return
	}
	v.again(drainEvery)
	if v.in.World.ServersErr != "" {
		v.halt("absent", "abandon", "deserted", "unread")
		v.lookAtPools()
		v.stall(ReasonServersUnreadable, "EC2 cannot be read, so nobody knows what is left to terminate: "+v.in.World.ServersErr)
		return
	}
	left := false
	for _, f := range v.fleets {
		left = v.removeFleet(f) || left
	}
	if left {
		v.tellUnread()
	}
	v.gone = v.confirmed() && !left
}

// removeFleet takes a fleet out of every pool and ends it. It reports whether something of it is left, or may be.
func (v *view) removeFleet(f *fleet) bool {
	open, hidden, missed := v.abandon(f), v.hidden(f), v.missed(f)
	v.leave(v.in.World.Pools, f, f.all(), "the Release is deleted")
	v.end(slices.Concat(f.servers, f.broken), f, "the Release is deleted")
	inside := v.heldInside(f)
	return open || hidden || missed || inside || len(f.servers)+len(f.broken) > 0
}

// heldInside: a server that a person holds is not ended, but it has to leave the pools, or it would get requests that nobody takes away.
func (v *view) heldInside(f *fleet) bool {
	for _, s := range f.heldOut {
		for _, p := range v.in.World.Pools {
			unseen := !p.Readable() && !v.vanished(p) && slices.Contains(f.Pools, p.ID)
			if unseen || len(p.registered([]Server{s})) > 0 {
				v.wait(fmt.Sprintf("%s of version %s, which a person holds, to leave %s", s.ID, f.label, p.Label()))
				return true
			}
		}
	}
	return false
}

// confirmed: that nothing is left is known, and not only read. Records tell of every launch and adoption, as they are written before;
// where there are none, readings must have shown nobody for absentAfter (law 2).
func (v *view) confirmed() bool {
	none := !slices.ContainsFunc(v.fleets, func(f *fleet) bool { return len(f.servers)+len(f.broken) > 0 })
	if v.in.Soft.Untouched || v.accounted() || v.lasting("deserted/"+v.in.Spec.UID, none, absentAfter) {
		return true
	}
	if none {
		v.wait(fmt.Sprintf("EC2 to show no server of this Release for %s, because no record says what was launched for it", absentAfter))
	}
	return false
}

// accounted: there are records, and every revision has its own, or names the servers that were adopted.
func (v *view) accounted() bool {
	lost := func(r Revision) bool { return r.Lost && len(r.Adopted) == 0 }
	return len(v.memory.Revisions) > 0 && !slices.ContainsFunc(v.memory.Revisions, lost)
}

// untouched: nothing was launched, adopted or seen of the Release from its first moment on, and nothing is planned now.
func (v *view) untouched() bool {
	touches := func(a Action) bool {
		tag, tags := a.(Tag)
		_, launches := a.(Launch)
		return launches || tags && tag.Adopt
	}
	return v.in.Soft.Untouched && len(v.in.World.Servers) == 0 && !slices.ContainsFunc(v.actions, touches)
}

// lastLook is the clock of the pass before, in a deletion: what stood since then has stood for that long.
const lastLook = "looked/deletion"

// halt lets the clocks of these kinds stand in a pass that cannot see what they measure. The time since the pass before does not
// count, so that only what was looked at adds up to evidence, and one failed reading takes nothing of it away.
func (v *view) halt(kinds ...string) { v.haltSince(lastLook, kinds...) }

// haltSince is halt where another clock shows when the pass before was.
func (v *view) haltSince(before string, kinds ...string) {
	for key := range v.in.Soft.Since {
		if kind, _, _ := strings.Cut(key, "/"); slices.Contains(kinds, kind) {
			v.haltedSince(before, key)
		}
	}
}

// halted is halt for one clock. Outside of a deletion nobody notes when the pass before was, and the clock begins anew.
func (v *view) halted(key string) { v.haltedSince(lastLook, key) }

func (v *view) haltedSince(before, key string) {
	since, known := v.in.Soft.Since[key]
	last, looked := v.in.Soft.Since[before]
	if known && looked {
		v.soft.Since[key] = since.Add(v.in.Now.Sub(last))
	}
}

// lookAtPools lets the clocks go on that pools alone are the evidence for, while EC2 cannot be read: of the servers that were known last.
func (v *view) lookAtPools() {
	for _, p := range v.in.World.Pools {
		v.vanished(p)
	}
	for _, f := range v.fleets {
		for _, s := range slices.Concat(f.servers, f.broken) {
			v.lasting("out/"+s.ID, v.inPool(s, f) == "", v.outBefore(f))
		}
	}
}

// tellUnread says which pools hold the deletion up, what AWS says of them, and how a person can go on. A pool that AWS does not
// know counts as empty by itself after a while.
func (v *view) tellUnread() {
	for _, p := range v.in.World.Pools {
		reason := p.ErrReason
		if reason == "" {
			reason = ReasonPoolUnreadable
		}
		switch lasts := v.lasting("unread/"+p.ID, !p.Readable() && !p.Missing, heldTooLong); {
		case p.Missing && !v.vanished(p):
			v.wait(fmt.Sprintf("AWS to say for %s that pool %s does not exist: %s", absentAfter, p.Label(), p.Err))
		case !p.Readable() && !p.Missing && (lasts || p.ErrReason != ""):
			v.stall(reason, fmt.Sprintf("the deletion waits, because pool %s cannot be read and servers that may be in it are not terminated: %s; "+
				"see that it can be read, or terminate the servers of the Release by hand, or set spec.deletionPolicy to Retain to leave them as they are",
				p.Label(), p.Err))
		}
	}
}

// hidden: servers were launched for the fleet, or adopted, so lately that readings may not show them yet.
func (v *view) hidden(f *fleet) bool {
	unseen := v.unseenAdopted(f.Revision)
	for _, a := range f.Launches {
		if v.in.Now.Sub(a.At) >= absentAfter {
			continue
		}
		for _, id := range a.Servers {
			if id != "" && !seen(v.in.World.Servers, id) {
				unseen = append(unseen, id)
			}
		}
	}
	if len(unseen) > 0 {
		v.wait(fmt.Sprintf("EC2 to show %s of version %s", strings.Join(unseen, ", "), f.label))
	}
	return len(unseen) > 0
}

// missed: servers of the fleet may be there that readings leave out, launched or adopted.
func (v *view) missed(f *fleet) bool {
	missing := v.unaccounted(f)
	if len(missing) > 0 {
		v.wait(fmt.Sprintf("EC2 to show %s of version %s, or to leave them out for %s", strings.Join(missing, ", "), f.label, absentAfter))
	}
	return len(missing) > 0
}

// unaccounted are the servers of the fleet, launched or adopted, that readings leave out and nobody saw end: that counts as evidence only
// after absentAfter (law 2).
func (v *view) unaccounted(f *fleet) []string {
	known := slices.Clone(f.Adopted)
	for _, a := range f.Launches {
		known = append(known, a.Servers...)
	}
	slices.Sort(known)
	return slices.DeleteFunc(slices.Compact(known), func(id string) bool { return seen(v.in.World.Servers, id) || !v.fills(f, id) })
}

// seen reports whether a reading shows the server, in whatever state.
func seen(servers []Server, id string) bool {
	return slices.ContainsFunc(servers, func(s Server) bool { return s.ID == id })
}
