package rollout

import (
	"fmt"
	"slices"
)

// lacks says in what the truth differs from what is asked of the Releases, as the table of the four phases has it; empty where
// in nothing. Unlike the laws it need not hold on the way: only where the world comes to rest.
func (s *micro) lacks(of *scope) string {
	for r := range s.releases {
		if lack := s.lacksOne(r, of); lack != "" {
			return fmt.Sprintf("Release %d: %s", r+1, lack)
		}
	}
	return ""
}

func (s *micro) lacksOne(r int, of *scope) string {
	rel := &s.releases[r]
	switch {
	case rel.gone:
		return s.leftBehind(r)
	case rel.deleting:
		return "it is being deleted, and not gone"
	case rel.paused && rel.phase != PhaseRolledBack:
		return ""
	}
	in := s.observe(r, of)
	recorded := rel.memory.find(revisionOf(rel.version))
	switch {
	case in.Spec.Refused.Some(), len(in.World.Former) > 0:
		return "" // somebody else has the pool, or nobody said whose the servers are
	case recorded == nil || recorded.Lost:
		return map[bool]string{true: "version " + rel.version + " was never recorded"}[rel.phase != PhaseRolledBack]
	case of.zonal && s.standsOff(in):
		return ""
	}
	phase := rel.asked(recorded)
	if recorded.Verdict.Reason == ReasonAutoRolledBack && phase == PhaseRolledBack && s.inProduction(r, rel.version) {
		return "" // the candidate stays where stable is no healthier: a person's to decide
	}
	serving, lack := s.toServe(r, phase, recorded, of)
	if lack != "" {
		return lack
	}
	for _, pool := range in.World.Pools {
		if lack := s.lacksMembers(r, pool, serving, phase); lack != "" {
			return lack
		}
	}
	return s.lacksFleets(r, phase)
}

// leftBehind names what a deleted Release left.
func (s *micro) leftBehind(r int) string {
	for i := range s.servers {
		if m := &s.servers[i]; m.owner == r && m.alive() && !m.hold {
			return serverName(m.id) + " is left behind"
		}
	}
	return ""
}

// standsOff: law 1 keeps servers in a zone, nothing will change that, and it is said.
func (s *micro) standsOff(in Input) bool {
	d := Decide(in)
	return len(d.Report.Held) > 0 && slices.ContainsFunc(d.Report.Conditions, func(c Condition) bool { return c.Type == CondStalled && c.True })
}

// asked is the phase that counts, once no override does.
func (rel *microRelease) asked(target *Revision) Phase {
	switch phase := rel.phase; {
	case forward(phase) && rel.phaseFor != "" && rel.phaseFor != rel.version:
		return PhaseNone
	case target.Verdict.Reason != "" && phase != PhasePreview:
		return PhaseRolledBack
	default:
		return phase
	}
}

// toServe is the revision that production is to have; empty for none.
func (s *micro) toServe(r int, phase Phase, target *Revision, of *scope) (serving, lack string) {
	stable, live := s.stable(r), !target.LiveAt.IsZero()
	switch {
	case stable == target.Name:
		return stable, ""
	case phase == PhaseLive, live && (stable == "" || phase == PhaseNone), phase == PhaseComplete && of.spec.CompleteAfter > 0:
		return target.Name, ""
	case phase == PhaseComplete:
		return "", fmt.Sprintf("%s is declared Complete, and %q is stable", target.Name, stable)
	}
	return stable, ""
}

// lacksMembers compares the members of a pool with those that it is to have.
func (s *micro) lacksMembers(r int, pool Pool, serving string, phase Phase) string {
	target, stable := revisionOf(s.releases[r].version), s.stable(r)
	deploying := stable != target && serving != target
	switch {
	case pool.Use == UseReleased:
		return ""
	case pool.Use == UseProduction && serving == "":
		return "" // a first version in Preview: production is nobody's
	case pool.Use == UseProduction:
		return s.lacksIn(r, pool, serving)
	case deploying && phase == PhaseRolledBack && stable != "":
		return "" // the rejected candidate is shown as far as it runs
	case deploying:
		return s.lacksIn(r, pool, target)
	}
	return s.lacksIn(r, pool, "")
}

// lacksIn: of the Release's, exactly the good servers of the revision are in the pool, and healthy.
func (s *micro) lacksIn(r int, pool Pool, revision string) string {
	n, p := 0, poolIndex(pool.ID)
	for i := range s.servers {
		m := &s.servers[i]
		if m.owner != r || !m.alive() || m.hold {
			continue
		}
		wanted := revisionOf(m.version) == revision && m.good()
		switch {
		case wanted && !m.healthy(p):
			return fmt.Sprintf("%s of version %s should be healthy in %s", serverName(m.id), m.version, pool.ID)
		case !wanted && m.seats[p] != seatNone && m.seats[p] != seatDraining:
			return fmt.Sprintf("%s of version %s should not be in %s", serverName(m.id), m.version, pool.ID)
		case wanted:
			n++
		}
	}
	if revision != "" && n != s.releases[r].replicas && !s.isLost(r, revision) {
		return fmt.Sprintf("%d of %d servers of %s are in %s", n, s.releases[r].replicas, revision, pool.ID)
	}
	return ""
}

func (s *micro) isLost(r int, revision string) bool {
	found := s.releases[r].memory.find(revision)
	return found == nil || found.Lost
}

// lacksFleets: the fleets that are needed have their size, the others are gone.
func (s *micro) lacksFleets(r int, phase Phase) string {
	rel, size := &s.releases[r], map[string]int{}
	for i := range s.servers {
		if m := &s.servers[i]; m.owner == r && m.alive() && !m.hold {
			size[m.version]++
		}
	}
	target, stable := rel.version, s.stable(r)
	keep := s.fleetsToKeep(r)
	live := rel.memory.find(revisionOf(target))
	for version, n := range size {
		revision := revisionOf(version)
		rejected := version == target && phase == PhaseRolledBack && stable != ""
		needed := version == target && !rejected || revision == stable
		switch {
		case !slices.Contains(keep, revision) && stable == "" && live.LiveAt.IsZero() && s.inProduction(r, version):
			// there is nothing that could take its place yet, and law 1 keeps it in
		case !slices.Contains(keep, revision):
			return fmt.Sprintf("%d servers of version %s are left", n, version)
		case needed && n != rel.replicas && !s.isLost(r, revision):
			return fmt.Sprintf("%d of %d servers of version %s", n, rel.replicas, version)
		}
	}
	return ""
}

func (s *micro) inProduction(r int, version string) bool {
	return slices.ContainsFunc(s.servers, func(m microServer) bool {
		for pool, use := range s.releases[r].layout {
			if use == UseProduction && (m.seats[pool] == seatComing || m.seats[pool] == seatServing) && m.owner == r && m.version == version {
				return true
			}
		}
		return false
	})
}
