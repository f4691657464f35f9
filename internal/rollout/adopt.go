package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// Adoption is one call for each fleet: our tags, on servers that serve already. From then on they are ours, and may be ended. So
// which servers these are, and in which pools they serve, is in memory before the call: EC2 may show the tags late, and the spec
// may be another one by then, or gone.

// adoptAgain is how old the note of an adoption may be whose call is made once more: it counts from the last call.
const adoptAgain = time.Minute

// adopting: there are servers to take over, and no stable fleet, or one that was taken over itself and has nothing beside it
// yet: a crash may have come between it and the others. Or there were, and EC2 does not show yet whose they are.
func (v *view) adopting() bool {
	none := v.stable == nil
	return len(v.in.World.Adoptable) > 0 && (none || v.stable.Lost && v.candidate == nil) || none && v.awaitsAdopted()
}

// awaitsAdopted: EC2 does not show some adopted servers as ours yet.
func (v *view) awaitsAdopted() bool {
	return slices.ContainsFunc(v.fleets, func(f *fleet) bool { return len(v.unseenAdopted(f.Revision)) > 0 })
}

// unseenAdopted are the servers that were adopted so lately that a reading may not show them as ours yet, and that this one does
// not. One that shows them may be followed by one that does not.
func (v *view) unseenAdopted(r *Revision) []string {
	if v.in.Now.Sub(r.AdoptedAt) >= absentAfter {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.Adopted), func(id string) bool { return seen(v.in.World.Servers, id) })
}

// adopt tags the servers that spec.adopt selects as ours, once, each with the revision and role that it keeps. The stable
// fleet comes last: where there is one, nothing more is adopted. Where a pool was not read it waits: they may serve there too.
func (v *view) adopt() {
	if words := v.otherPort(); words != "" {
		v.again(retryEvery)
		v.stall(ReasonPoolUnsupported, words)
		return
	}
	v.again(launchEvery)
	for _, p := range v.in.World.Pools {
		if !p.Readable() && !p.Missing {
			v.wait(fmt.Sprintf("pool %s to be read, before servers are adopted that may be in it: %s", p.Label(), p.Err))
			return
		}
	}
	type key struct {
		revision string
		role     Role
	}
	groups := map[key][]Server{}
	var order []key
	for _, s := range v.in.World.Adoptable {
		k := key{s.Revision, s.Role}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], s)
	}
	others := slices.ContainsFunc(order, func(k key) bool { return k.role != RoleStable })
	for _, k := range order {
		if others && k.role == RoleStable {
			continue
		}
		v.expectAdopted(k.revision, groups[k])
		v.do(Tag{Servers: ids(groups[k]), Revision: k.revision, Role: k.role, Adopt: true,
			Why: fmt.Sprintf("adopt %s as the %s fleet", listed(ids(groups[k])), k.role)})
	}
	v.wait("the adopted servers to show our tags")
}

// otherPort says which server cannot be adopted because a rollback could not put it back as it was: where it listens is not where the pool would
// send requests to; empty where there is none.
func (v *view) otherPort() string {
	for _, p := range v.in.World.Pools {
		for _, s := range v.in.World.Adoptable {
			if m, in := p.member(s.ID); in && m.OtherPort {
				return fmt.Sprintf("nothing is adopted: %s is in %s on another port than the group's own, on which alone Slipway registers, so no rollback could "+
					"put it back as it was. Register it on the group's own port (aws elbv2 register-targets, without Port=) and deregister it from the "+
					"other one, or use a target group whose port is the application's", s.ID, p.Label())
			}
		}
	}
	return ""
}

// expectAdopted remembers servers that are about to be adopted, and the pools that they are in.
func (v *view) expectAdopted(revision string, servers []Server) {
	r := v.memory.find(revision)
	if r == nil {
		r = v.addLost(Revision{Name: revision, Version: cmp.Or(servers[0].Version, revision), Image: servers[0].Image, Lost: true})
	}
	named := slices.Concat(v.unseenAdopted(r), ids(servers))
	sort.Strings(named)
	named = slices.Compact(named)
	if !slices.Equal(named, r.Adopted) || v.in.Now.Sub(r.AdoptedAt) >= adoptAgain {
		r.Adopted, r.AdoptedAt = named, v.in.Now
	}
	for _, p := range v.in.World.Pools {
		if slices.ContainsFunc(servers, func(s Server) bool { _, in := p.member(s.ID); return in }) {
			(&fleet{Revision: r}).notePool(p.ID)
		}
	}
}

// addLost gives a revision without a record a place in memory.
func (v *view) addLost(lost Revision) *Revision {
	v.memory.Revisions = append(v.memory.Revisions, lost)
	sort.Slice(v.memory.Revisions, func(i, j int) bool { return v.memory.Revisions[i].Name < v.memory.Revisions[j].Name })
	for _, f := range v.fleets {
		f.Revision = v.memory.find(f.Name)
	}
	return v.memory.find(lost.Name)
}
