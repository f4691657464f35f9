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
	if v.in.Spec.Refused.Some() {
		v.refuse()
		return
	}
	v.again(drainEvery)
	if v.in.World.ServersErr != "" {
		v.stall(ReasonServersUnreadable, "EC2 cannot be read, so nobody knows what is left to terminate: "+v.in.World.ServersErr)
		return
	}
	left := false
	for _, f := range v.fleets {
		open, hidden, missed := v.abandon(f), v.hidden(f), v.missed(f)
		left = left || open || hidden || missed || len(f.servers)+len(f.broken) > 0
		v.leave(v.in.World.Pools, f, f.all(), "the Release is deleted")
		v.end(slices.Concat(f.servers, f.broken), f, "the Release is deleted")
	}
	if left {
		v.tellUnread()
	}
	v.gone = !left
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
	missing := append(v.unaccounted(f), v.leftOut(f, f.Adopted)...)
	if len(missing) > 0 {
		v.wait(fmt.Sprintf("EC2 to show %s of version %s, or to leave them out for %s", strings.Join(missing, ", "), f.label, absentAfter))
	}
	return len(missing) > 0
}

// unaccounted are the launched servers of the fleet that readings leave out and nobody saw end: that counts as evidence only after
// absentAfter (law 2).
func (v *view) unaccounted(f *fleet) []string {
	var launched []string
	for _, a := range f.Launches {
		launched = append(launched, a.Servers...)
	}
	return v.leftOut(f, launched)
}

func (v *view) leftOut(f *fleet, all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return seen(v.in.World.Servers, id) || !v.fills(f, id) })
}

// seen reports whether a reading shows the server, in whatever state.
func seen(servers []Server, id string) bool {
	return slices.ContainsFunc(servers, func(s Server) bool { return s.ID == id })
}
