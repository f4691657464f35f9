package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Where to launch: servers are spread over the subnets evenly, and take the first instance type that there is room for.

// capacityMemory is how long a type is passed over in a subnet that had no room for it.
const capacityMemory = 2 * time.Minute

// spread is how a fleet is spread over subnets and zones.
type spread struct {
	load  map[string]int    // servers in a subnet, with those that were launched there and that EC2 does not show yet
	zone  map[string]string // of a subnet, as far as some server of ours shows it
	share map[string]int    // servers that the fleet needs in a zone, see shares
	waits bool              // for room in a zone that needs its share
}

func (v *view) spread(f *fleet) spread {
	s := spread{load: map[string]int{}, zone: map[string]string{}}
	for _, server := range v.in.World.Servers {
		s.zone[server.Subnet] = server.Zone
	}
	for _, server := range f.servers {
		s.load[server.Subnet]++
	}
	for i, a := range f.Launches {
		s.load[a.Subnet] += v.unseen(f, i)
	}
	s.share = v.shares(f, s.zone)
	// A fleet that serves is past waiting: uneven is better than short. One that is on its way in or back is not.
	s.waits = !v.isLive(f) && (f != v.stable || f != v.serving() || v.mixed())
	return s
}

// unseen is how many servers the launch with that index has brought, or may yet bring, that no reading shows.
func (v *view) unseen(f *fleet, launch int) int {
	a, n := f.Launches[launch], 0
	if a.Open {
		return len(a.Places)
	}
	for i, id := range a.Servers[:min(len(a.Servers), len(a.Places))] {
		if v.fills(f, id) && !holds(f.servers, Server{ID: id}) && !f.launchedAgain(a.Places[i], launch) {
			n++
		}
	}
	return n
}

// launchedAgain: after the launch with that index there was another one for the place.
func (f *fleet) launchedAgain(place, launch int) bool {
	return slices.ContainsFunc(f.Launches[launch+1:], func(a Attempt) bool { return slices.Contains(a.Places, place) })
}

// shares are the servers that a fleet needs in each zone, so that it can take the place of the others, and they its, in a
// pool that does not balance across zones (law 1): the zone's share of the asked-for, wherever others are. A fleet without a
// server there could never be switched to; one that waits for room there can. 5 asked for over 2 zones: 2 in each.
func (v *view) shares(f *fleet, zone map[string]string) map[string]int {
	var others []Server
	for _, other := range v.fleets {
		if other != f && (other == v.stable || other == v.candidate || v.inProduction(other)) {
			others = append(others, other.servers...)
		}
	}
	zonal := slices.ContainsFunc(v.pools(UseProduction), func(p Pool) bool { return p.ZonalOnly })
	if !zonal {
		return nil
	}
	zones, share := map[string]bool{}, map[string]int{}
	for _, subnet := range f.Subnets {
		zones[zone[subnet]] = true
	}
	for _, server := range others {
		zones[server.Zone] = true
		share[server.Zone] = 0
	}
	for z := range share {
		share[z] = perZone(v.asked, len(zones))
	}
	return share
}

// needy is 1 where the zone of the subnet does not have its share yet.
func (s spread) needy(subnet string) int {
	have := 0
	for other, n := range s.load {
		if s.zone[other] == s.zone[subnet] {
			have += n
		}
	}
	if s.zone[subnet] != "" && have < s.share[s.zone[subnet]] {
		return 1
	}
	return 0
}

// choose picks the emptiest subnet that has room for some type, and the first type that it has room for. A subnet without
// room for any type is passed over: an uneven fleet is better than a short one. Only a zone that needs its share is not.
func (f *fleet) choose(s spread, now time.Time) (subnet, kind string) {
	subnets := slices.Clone(f.Subnets)
	slices.SortStableFunc(subnets, func(a, b string) int { return cmp.Or(s.needy(b)-s.needy(a), s.load[a]-s.load[b]) })
	waits := false
	for _, subnet := range subnets {
		if waits && s.waits && s.needy(subnet) == 0 {
			break
		}
		for _, kind := range f.InstanceTypes {
			if f.capacityFailure(subnet, kind, now) == nil {
				return subnet, kind
			}
		}
		waits = waits || s.needy(subnet) == 1
	}
	return "", ""
}

// capacityFailure is the last failure of the type in the subnet for want of room, while it is remembered.
func (f *fleet) capacityFailure(subnet, kind string, now time.Time) *Attempt {
	for i := len(f.Launches) - 1; i >= 0; i-- {
		a := &f.Launches[i]
		if a.Subnet == subnet && a.Type == kind && a.Failure.Kind == FailureCapacity && now.Sub(a.At) < capacityMemory {
			return a
		}
	}
	return nil
}

// lastTry is the newest closed attempt at a type in a subnet; the zero attempt where there was none.
func (f *fleet) lastTry(subnet, kind string) Attempt {
	var last Attempt
	for _, a := range f.Launches {
		if !a.Open && a.Subnet == subnet && a.Type == kind && a.Number > last.Number {
			last = a
		}
	}
	return last
}

// where are the subnets that the fleet has to launch into: those of a zone that needs its share, or all.
func (s spread) where(f *fleet) []string {
	needy := slices.DeleteFunc(slices.Clone(f.Subnets), func(subnet string) bool { return s.needy(subnet) == 0 })
	if len(needy) > 0 && s.waits {
		return needy
	}
	return f.Subnets
}

// starved: servers are missing, and the last try at every type in every subnet that counts found no room. It stays so while
// they are tried again.
func (v *view) starved(f *fleet, s spread, vacant int) bool {
	missing := vacant > 0 || slices.ContainsFunc(f.Launches, func(a Attempt) bool { return a.Open })
	for _, subnet := range s.where(f) {
		for _, kind := range f.InstanceTypes {
			if f.lastTry(subnet, kind).Failure.Kind != FailureCapacity {
				return false
			}
		}
	}
	return missing && len(f.InstanceTypes) > 0 && len(f.Subnets) > 0
}

// tellNoRoom reports that no type has room, and where, in the words of the refusal of the last in order, which do not change
// with every try; once for a fleet. Where the quota of all of them is what is used up, it says that.
func (v *view) tellNoRoom(f *fleet, s spread) {
	about := "version " + f.label + ": "
	if slices.ContainsFunc(v.trouble, func(p Problem) bool { return strings.HasPrefix(p.Message, about+"EC2 has no room") }) {
		return
	}
	where, in, quota := "in any of its subnets", s.where(f), true
	var last Attempt
	for _, subnet := range in {
		for _, kind := range f.InstanceTypes {
			a := f.lastTry(subnet, kind)
			quota = quota && a.Failure.Reason == ReasonQuotaExceeded
			if a.Number > 0 {
				last = a
			}
		}
	}
	if len(in) > 0 && s.waits && s.needy(in[0]) == 1 {
		where = fmt.Sprintf("in %s (%s), where it has to be able to take over in a pool that does not balance across zones", in[0], s.zone[in[0]])
	}
	reason := ReasonNoCapacity
	if quota && last.Number > 0 {
		reason = ReasonQuotaExceeded
	}
	v.stall(reason, fmt.Sprintf("%sEC2 has no room for any of its instance types %s; trying again by itself. %s", about, where, last.Failure.Message))
}

// awaitRoom comes back when the oldest refusal for want of room is forgotten.
func (v *view) awaitRoom(f *fleet) {
	for _, subnet := range f.Subnets {
		for _, kind := range f.InstanceTypes {
			if a := f.capacityFailure(subnet, kind, v.in.Now); a != nil {
				v.again(capacityMemory - v.in.Now.Sub(a.At))
			}
		}
	}
}
