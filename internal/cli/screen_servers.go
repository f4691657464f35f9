package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/api/v1alpha1"
)

// shownServers is how many servers of a fleet have a line of their own: more than that, and those that are well are only counted.
const shownServers = 10

// servers are the lines of a fleet's servers; of a large fleet those that are not well come first.
func servers(r *v1alpha1.Release, f fleet, p painter, indent string) [][]string {
	ids := slices.Clone(f.ServerIDs)
	if len(ids) > shownServers {
		well := func(id v1alpha1.StatusName) int {
			if look(r, f, string(id)).mood == good {
				return 1
			}
			return 0
		}
		slices.SortStableFunc(ids, func(a, b v1alpha1.StatusName) int { return well(a) - well(b) })
		ids = ids[:shownServers]
	}
	hidden := max(int(f.Running), len(f.ServerIDs)) - len(ids)
	var rows [][]string
	for i, id := range ids {
		own, below := p.branch(i == len(ids)-1 && hidden <= 0)
		s := look(r, f, string(id))
		rows = append(rows, []string{indent + own + string(id), "", p.in(s.mood, p.sign(s.mood)+" "+s.state), strings.Join(s.in, ", ")})
		for _, why := range s.why {
			rows = append(rows, []string{indent + below + p.in(bad, why)})
		}
	}
	if hidden > 0 {
		own, _ := p.branch(true)
		rows = append(rows, []string{fmt.Sprintf("%s%sand %d more", indent, own, hidden)})
	}
	return rows
}

// sight is what there is to see of a server.
type sight struct {
	mood  mood
	state string
	// in are the pools that it is registered in, each with a mark for its health there.
	in []string
	// why is what AWS says, pool by pool.
	why []string
}

// look puts together what the pools say of a server. Where a pool names fewer sick servers than it has, one that it does not name
// may be one of them.
func look(r *v1alpha1.Release, f fleet, id string) sight {
	var s sight
	healthy, unknown := 0, 0
	for _, pool := range r.Status.Pools {
		if !registered(pool, f, id) {
			continue
		}
		sick, named := unhealthy(pool, id)
		switch {
		case named:
			s.in = append(s.in, fmt.Sprintf("%s %s", pool.Name, sick.State))
			s.why = append(s.why, fmt.Sprintf("%s: %s", pool.Name, cmp.Or(sick.Reason, string(sick.State), "not healthy")))
		case int(pool.Registered-pool.Healthy) > len(pool.Unhealthy):
			unknown++
			s.in = append(s.in, pool.Name+" ?")
		default:
			healthy++
			s.in = append(s.in, pool.Name+" healthy")
		}
	}
	s.mood, s.state = s.judge(healthy, unknown)
	return s
}

// judge sums up what the pools say.
func (s *sight) judge(healthy, unknown int) (mood, string) {
	sick := len(s.in) - healthy - unknown
	registering := sick > 0 && !slices.ContainsFunc(s.in, func(in string) bool { return strings.HasSuffix(in, " unhealthy") })
	switch {
	case len(s.in) == 0:
		return calm, "in no pool"
	case registering:
		return busy, "registering"
	case sick > 0:
		return bad, "unhealthy"
	case unknown > 0:
		return calm, "not known"
	}
	return good, "healthy"
}

// registered says whether a server is in a pool.
func registered(pool v1alpha1.PoolStatus, f fleet, id string) bool {
	return slices.ContainsFunc(pool.Fleets, func(there v1alpha1.PoolFleetStatus) bool {
		return there.Revision == f.Revision && slices.Contains(there.ServerIDs, v1alpha1.StatusName(id))
	})
}

// unhealthy finds a server among those that a pool names as sick.
func unhealthy(pool v1alpha1.PoolStatus, id string) (v1alpha1.UnhealthyServer, bool) {
	i := slices.IndexFunc(pool.Unhealthy, func(u v1alpha1.UnhealthyServer) bool { return string(u.ServerID) == id })
	if i < 0 {
		return v1alpha1.UnhealthyServer{}, false
	}
	return pool.Unhealthy[i], true
}

// poolTable is a line for each pool: what it is in AWS, who is in it and how they are.
func poolTable(r *v1alpha1.Release, p painter) []string {
	if len(r.Status.Pools) == 0 {
		return nil
	}
	rows := [][]string{{p.in(faint, "POOL"), p.in(faint, "ROLE"), p.in(faint, "HEALTHY"), p.in(faint, "SERVES"), p.in(faint, "IN AWS")}}
	for _, pool := range r.Status.Pools {
		m := good
		if pool.Healthy < pool.Registered || pool.Message != "" {
			m = bad
		}
		if pool.Registered == 0 && pool.Message == "" {
			m = calm
		}
		rows = append(rows, []string{pool.Name, string(pool.Role), p.in(m, fmt.Sprintf("%d/%d", pool.Healthy, pool.Registered)),
			cmp.Or(strings.Join(members(pool), " + "), "-"), string(pool.Kind) + " " + short(pool.Reference)})
		if pool.Message != "" {
			rows = append(rows, []string{"  " + p.in(bad, pool.Message)})
		}
	}
	lines := columns(rows)
	for i := range lines {
		lines[i] = p.fit(lines[i])
	}
	return lines
}

// members are the fleets in a pool, in the words of versions.
func members(pool v1alpha1.PoolStatus) []string {
	var all []string
	for _, f := range pool.Fleets {
		if f.Registered > 0 {
			all = append(all, fmt.Sprintf("%s (%d)", f.Version, f.Registered))
		}
		if f.Draining > 0 {
			all = append(all, fmt.Sprintf("%s (%d draining)", f.Version, f.Draining))
		}
	}
	if pool.Strangers > 0 {
		all = append(all, fmt.Sprintf("%d that are not of this Release", pool.Strangers))
	}
	if pool.State != v1alpha1.PoolClaimed && pool.State != "" {
		all = append(all, string(pool.State))
	}
	return all
}

// short is the part of an ARN that a person knows a target group by; a name as it is.
func short(reference string) string {
	if _, rest, ok := strings.Cut(reference, ":targetgroup/"); ok {
		name, _, _ := strings.Cut(rest, "/")
		return name
	}
	return reference
}

// poorest is the health of the production pool that has the fewest healthy servers.
func poorest(r *v1alpha1.Release) string {
	words, fewest := "-", int32(0)
	for _, pool := range r.Status.Pools {
		if pool.Role == v1alpha1.PoolRoleProduction && (words == "-" || pool.Healthy < fewest) {
			words, fewest = fmt.Sprintf("%d/%d", pool.Healthy, pool.Registered), pool.Healthy
		}
	}
	return words
}
