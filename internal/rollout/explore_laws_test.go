package rollout

import (
	"fmt"
	"slices"
	"time"
)

// The laws, on the truth of the small world, at every call before it takes effect. As in laws_test.go nothing here asks the
// core what it believes; the words are those of the design page.

// breaks says which law a call breaks.
func (s *micro) breaks(p *pass, a Action, of *scope) string {
	for _, law := range []func(*pass, Action, *scope) string{s.law2, s.law6, s.lawPaused} {
		if broken := law(p, a, of); broken != "" {
			return broken
		}
	}
	switch a := a.(type) {
	case Launch:
		return s.law5(p, a, of)
	case Register:
		return s.lawClaims(p, a)
	case Deregister:
		return s.law1(p, a, of)
	case Terminate:
		return s.law4(p, a)
	}
	return ""
}

// law2: what could not be read removes nothing and launches nothing.
func (s *micro) law2(p *pass, a Action, _ *scope) string {
	_, joins := a.(Register)
	if s.darkEC2 && !joins {
		return fmt.Sprintf("law 2: %s while EC2 cannot be read: %s", verbOf(a), a.Reason())
	}
	_, deregisters := a.(Deregister)
	_, terminates := a.(Terminate)
	if s.releases[p.release].deleting || !deregisters && !terminates {
		return ""
	}
	for pool, use := range s.releases[p.release].layout {
		gone := s.lost[pool] && terminates && epoch.Sub(p.input.Soft.Since["vanished/"+poolNames[pool]]) >= 5*time.Minute
		if use != "" && (s.dark[pool] || s.lost[pool]) && !gone {
			return fmt.Sprintf("law 2: %s while %s cannot be read: %s", verbOf(a), poolNames[pool], a.Reason())
		}
	}
	return ""
}

// law6: nothing of anybody else is touched.
func (s *micro) law6(p *pass, a Action, _ *scope) string {
	if _, launches := a.(Launch); launches {
		return ""
	}
	list := targets(a)
	if len(list) == 0 {
		return "a call about nothing: " + a.Reason()
	}
	tag, tags := a.(Tag)
	for _, id := range list {
		m := s.server(id)
		adopted := tags && tag.Adopt && m != nil && m.owner == nobody && s.releases[p.release].adopt
		if m == nil || m.owner != p.release && !adopted {
			return fmt.Sprintf("law 6: %s of %s, which is not ours: %s", verbOf(a), id, a.Reason())
		}
	}
	return ""
}

// lawPaused: paused stops every call but a rollback that a person asked for, and under it nothing is ended.
func (s *micro) lawPaused(p *pass, a Action, _ *scope) string {
	rel := &s.releases[p.release]
	if !rel.paused || rel.deleting {
		return ""
	}
	person := rel.phase == PhaseRolledBack || rel.override.Phase == PhaseRolledBack && epoch.Before(rel.override.ExpiresAt)
	if _, terminates := a.(Terminate); !person || terminates {
		return fmt.Sprintf("paused: %s: %s", verbOf(a), a.Reason())
	}
	return ""
}

// law5: the token is in etcd before the call, and no place is launched twice.
func (s *micro) law5(p *pass, l Launch, of *scope) string {
	revision := s.releases[p.release].memory.find(l.Revision)
	if revision == nil {
		return "law 5: a launch for " + l.Revision + ", which is not in etcd"
	}
	i := slices.IndexFunc(revision.Launches, func(a Attempt) bool { return a.Token == l.Attempt.Token })
	if i < 0 || !revision.Launches[i].Open || l.Attempt.Token == "" {
		return fmt.Sprintf("law 5: the token of attempt %d is not in etcd as open", l.Attempt.Number)
	}
	if s.knows(l.Attempt.Token) {
		return "" // asked again: EC2 launches nothing new
	}
	have, open := 0, 0
	for i := range s.servers {
		if m := &s.servers[i]; m.owner == p.release && revisionOf(m.version) == l.Revision && m.good() {
			have++
		}
	}
	for _, a := range revision.Launches {
		if a.Open && !s.knows(a.Token) {
			open += len(a.Places)
		}
	}
	if have+open > of.replicas { // an open launch of before a fleet shrank is asked for again
		return fmt.Sprintf("law 5: %d servers of %s are there and %d asked for, of %d", have, l.Revision, open, of.replicas)
	}
	return ""
}

// knows: EC2 has launched servers with the token.
func (s *micro) knows(token string) bool {
	return slices.ContainsFunc(s.servers, func(m microServer) bool { return m.token == token })
}

// lawClaims: a production pool admits one Release.
func (s *micro) lawClaims(p *pass, a Register) string {
	pool := poolIndex(a.Pool.ID)
	for o := range s.releases {
		if o == p.release || s.releases[o].layout[pool] != UseProduction && a.Pool.Use != UseProduction {
			continue
		}
		if slices.ContainsFunc(s.servers, func(m microServer) bool { return m.owner == o && m.seats[pool] != seatNone }) {
			return fmt.Sprintf("pool claims: Release %d enters %s, in which are servers of Release %d: %s", p.release+1, a.Pool.ID, o+1, a.Why)
		}
	}
	return ""
}

// law1: a healthy server leaves production only if enough healthy ones stay.
func (s *micro) law1(p *pass, a Deregister, of *scope) string {
	pool := poolIndex(a.Pool.ID)
	if s.releases[p.release].deleting || s.releases[p.release].layout[pool] != UseProduction {
		return ""
	}
	leaving, staying := s.parted(p.release, pool, a.Servers)
	if len(leaving) == 0 {
		return ""
	}
	need := s.releases[p.release].replicas
	if rolling, broken := s.rollingBack(p, a); broken != "" {
		return broken
	} else if rolling {
		need = 1
	}
	if len(staying) < need {
		return fmt.Sprintf("law 1: %d healthy servers leave %s and %d stay of %d: %s", len(leaving), a.Pool.ID, len(staying), need, a.Why)
	}
	if of.zonal {
		return s.law1Zones(p.release, pool, leaving, staying, need)
	}
	return ""
}

// parted are the healthy servers of a Release in a pool that leave it, and those that stay.
func (s *micro) parted(r, pool int, out []string) (leaving, staying []*microServer) {
	for i := range s.servers {
		switch m := &s.servers[i]; {
		case m.owner != r || !m.healthy(pool):
		case slices.Contains(out, serverName(m.id)):
			leaving = append(leaving, m)
		default:
			staying = append(staying, m)
		}
	}
	return leaving, staying
}

// rollingBack: stable is being put back, and only others leave. Then it must be healthy in every production pool.
func (s *micro) rollingBack(p *pass, a Deregister) (bool, string) {
	stable := s.stable(p.release)
	if stable == "" || p.out.Report.Stage != StageRollingBack {
		return false, ""
	}
	for _, id := range a.Servers {
		if revisionOf(s.server(id).version) == stable {
			return false, ""
		}
	}
	for _, pool := range p.input.World.Pools {
		if pool.Use == UseProduction && s.healthyIn(p.release, poolIndex(pool.ID), stable) == 0 {
			return true, fmt.Sprintf("law 1: %s leave before stable is back in %s: %s", a.Servers, pool.ID, a.Why)
		}
	}
	return true, ""
}

func (s *micro) healthyIn(r, pool int, revision string) int {
	n := 0
	for i := range s.servers {
		if m := &s.servers[i]; m.owner == r && revisionOf(m.version) == revision && m.healthy(pool) {
			n++
		}
	}
	return n
}

func (s *micro) law1Zones(r, pool int, leaving, staying []*microServer, need int) string {
	zones := map[string]bool{}
	for i := range s.servers {
		if m := &s.servers[i]; m.owner == r && m.alive() && (m.seats[pool] == seatComing || m.seats[pool] == seatServing) {
			zones[m.subnet] = true
		}
	}
	if s.releases[r].replicas < len(zones) {
		return "" // so few servers cannot be everywhere
	}
	share := max(1, need/max(1, len(zones)))
	for _, m := range leaving {
		n := 0
		for _, other := range staying {
			if other.subnet == m.subnet {
				n++
			}
		}
		if n < share {
			return fmt.Sprintf("law 1: %d healthy servers stay in zone %s of %s, %d are needed", n, m.subnet, poolNames[pool], share)
		}
	}
	return ""
}

// serving counts the healthy servers of a Release in each of its production pools.
func (s *micro) serving(r int) (count [poolCount]int) {
	for pool, use := range s.releases[r].layout {
		for i := range s.servers {
			if m := &s.servers[i]; use == UseProduction && m.owner == r && m.healthy(pool) {
				count[pool]++
			}
		}
	}
	return count
}

// robbed: whatever the reason, a call took the last healthy server out of a production pool.
func (s *micro) robbed(r int, before [poolCount]int, a Action) string {
	if s.releases[r].deleting {
		return ""
	}
	for pool, after := range s.serving(r) {
		if before[pool] > 0 && after == 0 {
			return fmt.Sprintf("law 1: the last healthy server leaves %s by our hand: %s: %s", poolNames[pool], verbOf(a), a.Reason())
		}
	}
	return ""
}

// law4, and with it law 7.
func (s *micro) law4(p *pass, a Terminate) string {
	for _, id := range a.Servers {
		m := s.server(id)
		switch {
		case !m.alive():
		case m.seats != [poolCount]seat{}:
			return fmt.Sprintf("law 4: %s is terminated while it is in a pool: %s", id, a.Why)
		case m.left:
			return fmt.Sprintf("law 4: %s is terminated less than half a minute after it left a pool: %s", id, a.Why)
		case m.hold:
			return fmt.Sprintf("law 4: %s is terminated while a person holds it: %s", id, a.Why)
		case !s.releases[p.release].deleting && s.needed(p.release, m):
			return fmt.Sprintf("law 7: %s of version %s is terminated while it is needed: %s", id, m.version, a.Why)
		}
	}
	return ""
}

// needed: the server belongs to a fleet that serves, is being deployed or is to be fallen back to, is in order, and is not
// one too many.
func (s *micro) needed(r int, m *microServer) bool {
	if !slices.Contains(s.fleetsToKeep(r), revisionOf(m.version)) || !m.good() {
		return false
	}
	good := 0
	for i := range s.servers {
		if other := &s.servers[i]; other.owner == r && other.version == m.version && other.good() {
			good++
		}
	}
	return good <= s.releases[r].replicas
}

// fleetsToKeep are, by what etcd says: stable, the revision declared last, and the fleet that was stable before a Live
// revision took its place, as long as the newest one is not Live.
func (s *micro) fleetsToKeep(r int) []string {
	var stable, before, last Revision
	for _, v := range s.releases[r].memory.Revisions {
		if v.Number > last.Number {
			last = v
		}
		switch {
		case v.Retired:
		case v.StableSeq > stable.StableSeq:
			stable, before = v, stable
		case v.StableSeq > before.StableSeq:
			before = v
		}
	}
	keep := []string{s.stable(r), last.Name}
	if before.Name != "" && !stable.Completed && (last.Name == stable.Name || last.LiveAt.IsZero()) {
		keep = append(keep, before.Name)
	}
	return keep
}

// stable is the revision that production falls back to, by what etcd or the role tags say.
func (s *micro) stable(r int) string {
	best, seq := "", int64(0)
	for _, v := range s.releases[r].memory.Revisions {
		if v.StableSeq > seq && !v.Retired {
			best, seq = v.Name, v.StableSeq
		}
	}
	if best != "" {
		return best
	}
	for i := range s.servers {
		if m := &s.servers[i]; m.owner == r && m.role == RoleStable && m.alive() {
			best = revisionOf(m.version)
		}
	}
	return best
}

// misreports: Ready is said where production is not served as asked.
func (s *micro) misreports(p *pass) string {
	rel := &s.releases[p.release]
	i := slices.IndexFunc(p.out.Report.Conditions, func(c Condition) bool { return c.Type == CondReady })
	report := p.out.Report
	if rel.deleting || !report.Conditions[i].True || report.Stable == nil && !report.Live {
		return ""
	}
	serving := report.Stable
	if report.Live || serving == nil {
		serving = report.Candidate
	}
	for _, pool := range p.input.World.Pools {
		if pool.Use != UseProduction {
			continue
		}
		stale := slices.ContainsFunc(s.servers, func(m microServer) bool { return m.seats[poolIndex(pool.ID)] == seatStale })
		if n := s.healthyIn(p.release, poolIndex(pool.ID), serving.Revision); n < rel.replicas && !stale {
			return fmt.Sprintf("Ready is said while %d of %d servers of %s are healthy in %s", n, rel.replicas, serving.Revision, pool.ID)
		}
	}
	return ""
}
