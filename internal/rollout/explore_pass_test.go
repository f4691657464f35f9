package rollout

import (
	"reflect"
	"slices"
	"sort"
	"time"
)

// One pass of the controller over one Release, and everything that can come between its parts:
//
//	observe ─▶ Decide ─▶ claim ─▶ remember, revision by revision ─▶ act, call by call, at once ─▶ record
//	                          ▲              ▲                        ▲            ▲            ▲
//	                          └──────────────┴── a crash ─────────────┴────────────┴────────────┘

// pass is a pass that has decided, and done nothing yet.
type pass struct {
	release int
	input   Input
	out     Decision
	writes  []Memory // what etcd keeps after each write; the first is what it kept before
	records bool     // the declared revision is recorded
	enters  bool     // servers are about to be registered in a pool in which none of the Release ever was
}

// specOf is the spec as Decide sees it.
func (s *micro) specOf(r int, of *scope) Spec {
	rel := &s.releases[r]
	spec := of.spec
	spec.Release, spec.UID = "shop/web", uids[r]
	spec.Phase, spec.PhaseFor, spec.Version, spec.Replicas = rel.phase, rel.phaseFor, rel.version, rel.replicas
	spec.Paused, spec.Deleting, spec.TerminateOnDelete = rel.paused, rel.deleting, true
	spec.Retry, spec.Override, spec.Adopt = rel.retry, rel.override, rel.adopt
	if found := rel.memory.find(revisionOf(rel.version)); found != nil && !found.Lost {
		spec.Target = found.Name
	}
	return spec
}

// visible are the servers of a Release as EC2 shows them.
func (s *micro) visible(r int) []Server {
	var list []Server
	for i := range s.servers {
		if m := &s.servers[i]; m.owner == r && !m.hidden {
			list = append(list, m.shown(i))
		}
	}
	return list
}

func (m *microServer) shown(i int) Server {
	launched := epoch.Add(-ageOld - time.Hour + time.Duration(i)*time.Second)
	if m.young {
		launched = epoch.Add(time.Duration(i) * time.Millisecond)
	}
	return Server{
		ID: serverName(m.id), Revision: revisionOf(m.version), Version: m.version, Role: m.role, Image: "ami-" + m.version, Type: "large",
		Subnet: m.subnet, Zone: "zone-" + m.subnet, State: m.state, Token: m.token, Launched: launched, Hold: m.hold,
	}
}

// observe reads the world for a Release. What other Releases hold is left out, or forbids every call (claims.go).
func (s *micro) observe(r int, of *scope) Input {
	rel := &s.releases[r]
	in := Input{Spec: s.specOf(r, of), Memory: rel.memory, Soft: rel.soft, Now: epoch}
	if s.darkEC2 {
		in.World.ServersErr, in.World.Servers = "RequestLimitExceeded", rel.known
	} else {
		in.World.Servers = s.visible(r)
		s.observeOthers(r, &in)
	}
	in.Memory = recalled(in.Memory, in.World.Servers)
	for p := range poolNames {
		use := rel.layout[p]
		if use == "" && s.remembers(rel, in, poolNames[p]) {
			use = UseReleased
		}
		if use != "" {
			in.World.Pools = append(in.World.Pools, s.read(p, use, of))
		}
	}
	s.contest(r, &in)
	return in
}

// observeOthers reads servers of before: adoptable where the spec says so, else those of a former object.
func (s *micro) observeOthers(r int, in *Input) {
	for i := range s.servers {
		m := &s.servers[i]
		switch {
		case m.owner != nobody || !m.alive() || r != 0:
		case s.releases[r].adopt:
			in.World.Adoptable = append(in.World.Adoptable, m.shown(i))
		default:
			in.World.Former, in.World.FormerOwners = append(in.World.Former, m.shown(i)), []string{"uid-0"}
		}
	}
}

// recalled is memory with a place for revisions that only servers still tell of.
func recalled(memory Memory, servers []Server) Memory {
	for _, server := range servers {
		if memory.find(server.Revision) == nil && alive(server) {
			memory.Revisions = append(slices.Clone(memory.Revisions),
				Revision{Name: server.Revision, Version: server.Version, Image: server.Image, Lost: true})
			sort.Slice(memory.Revisions, func(i, j int) bool { return memory.Revisions[i].Name < memory.Revisions[j].Name })
		}
	}
	return memory
}

// remembers: memory knows the pool, of a fleet that has servers.
func (s *micro) remembers(rel *microRelease, in Input, pool string) bool {
	return slices.ContainsFunc(rel.memory.Revisions, func(r Revision) bool {
		inhabited := s.darkEC2 || slices.ContainsFunc(in.World.Servers, func(server Server) bool { return server.Revision == r.Name && alive(server) })
		return inhabited && slices.Contains(r.Pools, pool)
	})
}

// read reads one pool.
func (s *micro) read(pool int, use PoolUse, of *scope) Pool {
	p := Pool{ID: poolNames[pool], Name: poolNames[pool], Use: use, Kind: KindALB, ZonalOnly: of.zonal && use == UseProduction}
	switch {
	case s.lost[pool]:
		p.Err, p.Missing = "TargetGroupNotFound", true
		return p
	case s.dark[pool]:
		p.Err = "Throttling: Rate exceeded"
		return p
	}
	p.Members = make([]Member, 0, len(s.servers)+1)
	for i := range s.servers {
		if m := &s.servers[i]; m.seats[pool] != seatNone {
			p.Members = append(p.Members, Member{Server: serverName(m.id), State: m.memberState(pool)})
		}
	}
	p.Members = append(p.Members, Member{Server: stranger, State: MemberHealthy})
	return p
}

func (m *microServer) memberState(pool int) MemberState {
	switch {
	case m.seats[pool] == seatDraining:
		return MemberDraining
	case m.state != StateRunning || m.sick:
		return MemberUnhealthy
	case m.seats[pool] == seatComing:
		return MemberRegistering
	}
	return MemberHealthy
}

// decide observes and asks the core, as the controller does: where the declared revision is needed it is recorded, and the core
// is asked once more.
func (e *expansion) decide(s *micro, r int) *pass {
	p := &pass{release: r, input: s.observe(r, e.scope)}
	p.writes = []Memory{s.releases[r].memory}
	p.out = e.ask(p.input)
	if p.out.NeedTarget {
		p.records = true
		p.writes = append(p.writes, e.written(p.writes[0], e.recorded(p.input.Memory, s.releases[r].version)))
		p.input.Memory = recalled(p.writes[1], p.input.World.Servers)
		p.input.Spec.Target = revisionOf(s.releases[r].version)
		p.out = e.ask(p.input)
	}
	kept := p.writes[len(p.writes)-1]
	for _, revision := range inOrder(kept, p.out.Memory) {
		if old := kept.find(revision.Name); old == nil || !reflect.DeepEqual(*old, revision) {
			kept = e.written(kept, revision)
			p.writes = append(p.writes, kept)
		}
	}
	p.enters = entersPool(p.writes[0], p.out.Memory)
	return p
}

// ask asks the core, and counts which rules and guards answered.
func (e *expansion) ask(in Input) Decision {
	d := e.core(in)
	e.tally["rule "+string(d.Report.Stage)]++
	phase := string(d.Report.PhaseRule)
	if d.Report.PhaseRule == RuleSpec && in.Spec.Target == "" {
		phase += ", not recorded"
	}
	e.tally["phase "+phase]++
	for _, held := range d.Report.Held {
		e.tally["guard "+held.About]++
	}
	return d
}

// recorded is the record of a version, with what is remembered of servers whose record was lost.
func (e *expansion) recorded(memory Memory, version string) Revision {
	r := Revision{Name: revisionOf(version)}
	if lost := memory.find(r.Name); lost != nil {
		r = *lost
	}
	r.Version, r.Image, r.Lost = version, "ami-"+version, false
	r.Subnets, r.InstanceTypes = e.scope.subnets, []string{"large"}
	return r
}

// written is memory with one revision written.
func (e *expansion) written(memory Memory, r Revision) Memory {
	next := Memory{Revisions: slices.DeleteFunc(slices.Clone(memory.Revisions), func(o Revision) bool { return o.Name == r.Name })}
	next.Revisions = append(next.Revisions, r)
	sort.Slice(next.Revisions, func(i, j int) bool { return next.Revisions[i].Name < next.Revisions[j].Name })
	return next
}

// inOrder puts first whatever becomes stable.
func inOrder(before, next Memory) []Revision {
	rise := func(r Revision) int64 {
		if old := before.find(r.Name); old != nil {
			return r.StableSeq - old.StableSeq
		}
		return r.StableSeq
	}
	order := slices.Clone(next.Revisions)
	slices.SortStableFunc(order, func(a, b Revision) int { return int(rise(b) - rise(a)) })
	return order
}

// entersPool: a pool is remembered that was not before.
func entersPool(before, next Memory) bool {
	known := func(memory Memory, pool string) bool {
		return slices.ContainsFunc(memory.Revisions, func(r Revision) bool { return slices.Contains(r.Pools, pool) })
	}
	return slices.ContainsFunc(poolNames[:], func(pool string) bool { return known(next, pool) && !known(before, pool) })
}

// ending is how a pass ends: what became of each of its calls, and whether the process lives on.
type ending struct {
	done     uint   // bit by bit: the calls that had their effect
	answered uint   // and of which the process heard
	crash    bool   // before the outcome is recorded
	reject   bool   // EC2 refuses the launches for good
	words    string // what went wrong
}

// act plays the calls of a pass to one of its ends. The laws are checked at every call.
func (e *expansion) act(s *micro, p *pass, end ending) {
	rel := &s.releases[p.release]
	rel.memory, rel.soft = p.writes[len(p.writes)-1], p.out.Soft
	var results []LaunchResult
	for n, a := range p.out.Actions {
		launch, launches := a.(Launch)
		if end.done&(1<<n) == 0 {
			if launches {
				results = append(results, refusal(launch, end.reject))
			}
			continue
		}
		if broken := s.breaks(p, a, e.scope); broken != "" {
			e.violate(broken)
		}
		before := s.serving(p.release)
		result := s.carryOut(p.release, a, e.scope)
		if broken := s.robbed(p.release, before, a); broken != "" {
			e.violate(broken)
		}
		if result != nil && end.answered&(1<<n) != 0 {
			results = append(results, *result)
		} else if launches {
			results = append(results, LaunchResult{Revision: launch.Revision, Token: launch.Attempt.Token, Unknown: true})
		}
	}
	if end.crash {
		s.restart(p.release)
	} else {
		rel.memory = Record(rel.memory, results, epoch)
		rel.gone = rel.gone || p.out.Gone
	}
	s.settle(p.release)
}

// refusal is the answer to a launch that had no effect: none, or a refusal for good.
func refusal(l Launch, reject bool) LaunchResult {
	result := LaunchResult{Revision: l.Revision, Token: l.Attempt.Token, Unknown: !reject}
	if reject {
		result.Failure = Failure{FailureRejected, ReasonInvalidParameter, "InvalidParameterValue"}
	}
	return result
}

// restart is the process of a Release beginning anew, with nothing in its head.
func (s *micro) restart(r int) { s.releases[r].soft, s.releases[r].known = Soft{}, nil }

// settle makes the ages of what a pass wrote canonical.
func (s *micro) settle(r int) {
	rel := &s.releases[r]
	rel.memory, rel.soft = agedMemory(rel.memory, 0), agedSoft(rel.soft, 0)
	if _, restoring := rel.soft.Since["restore/"+s.stable(r)]; !restoring {
		for i := range s.servers {
			if s.servers[i].owner == r {
				s.servers[i].young = false
			}
		}
	}
	if rel.gone {
		rel.memory, rel.soft, rel.claims = Memory{}, Soft{}, [poolCount]int{}
	}
}
