package rollout

import (
	"iter"
	"maps"

	"time"
)

// keysOf are the keys of a map.
func keysOf[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

var base = Spec{
	MinHealthyPercent: 100,
	Health:            Health{Consecutive: 2, Timeout: 5 * time.Minute, LaunchTimeout: 5 * time.Minute, RollbackTimeout: 30 * time.Second},
}

var home = layout{poolEdge: UseProduction, poolPreview: UseTest}

// fresh is a world in which nothing is there but the first version, declared.
func fresh(of *scope) *micro {
	s := &micro{edits: of.edits, faults: of.faults}
	for _, layouts := range of.layouts {
		s.releases = append(s.releases, microRelease{phase: PhasePreview, version: "1", replicas: of.replicas, layout: layouts[0]})
	}
	return s
}

// rested is what becomes of a world in which everything goes well.
func rested(s *micro, of *scope) *micro {
	quiet := *of
	quiet.edits, quiet.faults = 0, 0
	var buffer []byte
	for before := (digest{}); s.digest(&buffer) != before; {
		before = s.digest(&buffer)
		for kind := range fairKinds {
			for again := true; again; {
				again = false
				e := &expansion{scope: &quiet, core: Decide, tally: map[string]int{}}
				for _, next := range e.expand(s) {
					if next.fair == kind {
						again = kind < fairShort && next.digest != s.digest(&buffer)
						s = next.state
						break
					}
				}
			}
		}
	}
	s.edits, s.faults = of.edits, of.faults
	return s
}

// complete is a world in which version 1 of every Release that is asked for is stable.
func complete(of *scope, releases ...int) *micro {
	s := fresh(of)
	for _, r := range releases {
		s.releases[r].ask(PhaseComplete)
	}
	s.edits, s.faults = 0, 0
	return rested(s, of)
}

// resting is a world in which the Releases came to rest after edits, one after the other.
func resting(of *scope, edits ...func(*microRelease)) *micro {
	s := complete(of, 0)
	for _, edit := range edits {
		s.edits, s.faults = 0, 0
		edit(&s.releases[0])
		s = rested(s, of)
	}
	return s
}

func declares(version string, phase Phase) func(*microRelease) {
	return func(rel *microRelease) {
		rel.version = version
		rel.ask(phase)
	}
}

// everywhere begins where a Release can be at rest: nothing there, stable, in Preview, Live, rolled back.
func everywhere(of *scope) []*micro {
	return []*micro{fresh(of), complete(of, 0), resting(of, declares("2", PhasePreview)), resting(of, declares("2", PhaseLive)),
		resting(of, declares("2", PhaseLive), func(rel *microRelease) { rel.ask(PhaseRolledBack) })}
}

// underway begins right after an edit to each of the worlds at rest: on the way to everywhere.
func underway(of *scope) []*micro {
	begun := func(s *micro, edit func(*microRelease)) *micro {
		s.edits, s.faults = of.edits, of.faults
		edit(&s.releases[0])
		return s
	}
	live := declares("2", PhaseLive)
	return []*micro{
		begun(fresh(of), func(rel *microRelease) { rel.ask(PhaseLive) }),
		begun(complete(of, 0), live),
		begun(resting(of, live), func(rel *microRelease) { rel.ask(PhaseRolledBack) }),
		begun(resting(of, live), func(rel *microRelease) { rel.ask(PhaseComplete) }),
	}
}

// rivals begins with two Releases that name the same production pool: neither there yet; and one that serves from it.
func rivals(of *scope) []*micro {
	both := func(s *micro) *micro {
		for r := range s.releases {
			s.releases[r].ask(PhaseLive)
		}
		s.edits, s.faults = of.edits, of.faults
		return s
	}
	return []*micro{both(fresh(of)), both(complete(of, 0))}
}

// inherited begins with two servers of before that serve production.
func inherited(of *scope) []*micro {
	s := fresh(of)
	for range 2 {
		m := microServer{id: s.next, owner: nobody, version: "0", subnet: "a", state: StateRunning, role: RoleStable}
		m.seats[poolEdge] = seatServing
		s.servers = append(s.servers, m)
		s.next++
	}
	return []*micro{s}
}

// ofTwo makes a scope one of two Releases, each with a way out of the pool that both name.
func ofTwo(s *scope) {
	away := layout{poolAPI: UseProduction, poolPreview: UseTest}
	s.begin, s.layouts = rivals, [][]layout{{home, away}, {home, away}}
}

// scopes are the worlds that are exhausted.
func scopes(large bool) []*scope {
	one := scope{replicas: 2, versions: []string{"1", "2"}, subnets: []string{"a"}, layouts: [][]layout{{home}}, spec: base, begin: everywhere}
	world := func(name string, edits, faults int, change func(*scope)) *scope {
		s := one
		s.name, s.edits, s.faults = name, edits, faults
		if !large {
			s.begin, s.edits, s.replicas = underway, 0, 1
		}
		change(&s)
		return &s
	}
	return []*scope{
		world("edits", 2, 0, func(s *scope) {
			s.noPhase = true
			if !large {
				s.begin, s.edits = everywhere, 1
			}
		}),
		world("way", 0, 0, func(s *scope) { s.begin, s.probing, s.replicas = underway, true, 2 }),
		world("versions", 1, 0, func(s *scope) { s.versions = []string{"1", "2", "3"} }),
		world("knobs", 1, 0, func(s *scope) {
			s.pausing, s.scaling, s.retrying, s.overriding, s.deleting = true, true, true, true, true
			s.spec.CompleteAfter = 5 * time.Minute
			s.edits, s.probing = 1, large
			if !large {
				s.begin = everywhere
			}
		}),
		world("calls", 1, 1, func(s *scope) { s.crashes, s.refusals, s.probing = true, true, true }),
		world("servers", 1, 1, func(s *scope) { s.deaths, s.flips, s.stops = true, true, large }),
		world("held", 1, 1, func(s *scope) { s.begin, s.holds, s.edits = underway, true, 0 }),
		world("eyes", 1, 1, func(s *scope) { s.blindness, s.deletedPools, s.capacity, s.staleness = true, true, true, true }),
		world("late", 1, 1, func(s *scope) {
			s.begin, s.lag, s.halves, s.refusals, s.deaths = underway, true, large, true, true
			s.edits = 0
		}),
		world("zones", 1, 1, func(s *scope) {
			s.begin, s.zonal, s.flips, s.subnets, s.replicas, s.edits = underway, true, true, []string{"a", "b"}, 2, 0
		}),
		world("rivals", 1, 0, func(s *scope) {
			ofTwo(s)
			s.edits, s.replicas, s.deleting = 1, 1+map[bool]int{true: 1}[large], true
		}),
		world("rivals-calls", 1, 1, func(s *scope) {
			ofTwo(s)
			s.replicas, s.deleting, s.crashes, s.refusals = 1, large, true, true
		}),
		world("inherited", 2, 0, func(s *scope) {
			s.begin, s.adopting, s.edits, s.replicas = inherited, true, 1+map[bool]int{true: 1}[large], 1+map[bool]int{true: 1}[large]
		}),
	}
}
