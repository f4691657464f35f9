package rollout

import "slices"

// What AWS does by itself, and what is done to it. Each is a step of its own, in any order with all others.

// deliveries are what AWS still owes: boots, first health checks, drains, readings that catch up.
func (e *expansion) deliveries() {
	for i := range e.from.servers {
		m := &e.from.servers[i]
		if m.hidden {
			e.deliver(i, "EC2 shows %s", func(m *microServer) { m.hidden = false })
		}
		if m.state == StatePending {
			e.deliver(i, "%s runs", func(m *microServer) { m.state = StateRunning })
		}
		for p, seat := range m.seats {
			switch {
			case seat == seatComing && m.state == StateRunning && !m.sick && !e.from.lost[p]:
				e.note.Pool = poolNames[p]
				e.deliver(i, "%s passes its first health checks in "+poolNames[p], func(m *microServer) { m.seats[p] = seatServing })
			case seat == seatStale:
				e.note.Pool = poolNames[p]
				e.deliver(i, "readings of "+poolNames[p]+" show that %s leaves", func(m *microServer) { m.seats[p] = seatDraining })
			case seat == seatDraining && e.firstToDrain(i, p):
				e.note.Pool, e.note.Server = poolNames[p], serverName(m.id)
				e.change(fairDelivery, "%s is drained", serverName(m.id)+" and whoever left "+poolNames[p]+" with it", func(s *micro) { s.drain(i, p) })
			}
		}
	}
}

// firstToDrain: no server before this one drains with it. Servers of one fleet are drained together: they left in one call.
func (e *expansion) firstToDrain(i, pool int) bool {
	return !slices.ContainsFunc(e.from.servers[:i], func(m microServer) bool { return m.drainsWith(&e.from.servers[i], pool) })
}

func (m *microServer) drainsWith(other *microServer, pool int) bool {
	return m.owner == other.owner && m.version == other.version && m.seats[pool] == seatDraining
}

func (s *micro) drain(i, pool int) {
	with := s.servers[i]
	for j := range s.servers {
		if m := &s.servers[j]; m.drainsWith(&with, pool) {
			m.seats[pool], m.left = seatNone, true
		}
	}
}

func (e *expansion) deliver(i int, words string, change func(*microServer)) {
	next := e.from.clone()
	change(&next.servers[i])
	e.add(next, fairDelivery, words, serverName(next.servers[i].id))
}

// time passes: half a minute, or minutes.
func (e *expansion) time() {
	next := e.from.clone()
	next.wait(ageShort)
	e.note.Do, e.passed = "wait", ageShort
	e.add(next, fairShort, "%s passes", "half a minute")
	next, long := e.from.clone(), ageLong
	if e.scope.halves {
		long = ageHalf
	}
	next.wait(long)
	e.note.Do, e.passed = "wait", long
	e.add(next, fairLong, "%s pass", long)
}

// mend ends the faults that last: everything heals by itself in the end.
func (e *expansion) mend() {
	s := e.from
	for i := range s.servers {
		switch m := &s.servers[i]; {
		case m.sick:
			e.heal(i, "%s is healthy again", func(m *microServer) { m.sick = false })
		case m.hold:
			e.heal(i, "%s is let go by the person who held it", func(m *microServer) { m.hold = false })
		case m.state == StateStopped:
			e.heal(i, "%s is started", func(m *microServer) { m.state = StateRunning })
		}
	}
	for p := range s.dark {
		if s.dark[p] {
			e.change(fairMend, "%s can be read again", poolNames[p], func(s *micro) { s.dark[p] = false })
		}
		if s.lost[p] {
			e.change(fairMend, "%s exists again", poolNames[p], func(s *micro) { s.lost[p] = false })
		}
	}
	if s.darkEC2 {
		e.change(fairMend, "%s can be read again", "EC2", func(s *micro) { s.lightEC2() })
	}
	if s.full {
		e.change(fairMend, "%s has room again", "EC2", func(s *micro) { s.full = false })
	}
}

func (e *expansion) heal(i int, words string, change func(*microServer)) {
	next := e.from.clone()
	change(&next.servers[i])
	e.add(next, fairMend, words, serverName(next.servers[i].id))
}

func (s *micro) lightEC2() {
	s.darkEC2 = false
	for r := range s.releases {
		s.releases[r].known = nil
	}
}

// change adds a state in which one thing is different.
func (e *expansion) change(fair fairness, words, subject string, change func(*micro)) {
	next := e.from.clone()
	change(next)
	e.add(next, fair, words, subject)
}

// worldFaults are those of the scope, as long as there may be any.
func (e *expansion) worldFaults() {
	if e.from.faults == 0 {
		return
	}
	for i := range e.from.servers {
		m := &e.from.servers[i]
		if m.owner == nobody || !m.alive() {
			continue
		}
		if e.scope.deaths {
			e.hurt(i, "%s dies", (*microServer).end)
		}
		if e.scope.flips && m.state == StateRunning && !m.sick {
			e.hurt(i, "%s gets sick", func(m *microServer) { m.sick = true })
		}
		if e.scope.holds && !m.hold {
			e.hurt(i, "%s is held by a person", func(m *microServer) { m.hold = true })
		}
		if e.scope.stops && m.state == StateRunning {
			e.hurt(i, "%s stops", func(m *microServer) { m.state = StateStopped })
		}
	}
	for p := range e.from.dark {
		if e.scope.blindness && !e.from.dark[p] && e.inUse(p) {
			e.fault("%s cannot be read", poolNames[p], func(s *micro) { s.dark[p] = true })
		}
		if e.scope.deletedPools && !e.from.lost[p] && e.inUse(p) {
			e.fault("%s is deleted in AWS", poolNames[p], func(s *micro) { s.losePool(p) })
		}
	}
	if e.scope.blindness && !e.from.darkEC2 {
		e.fault("%s cannot be read", "EC2", func(s *micro) { s.darkenEC2() })
	}
	if e.scope.capacity && !e.from.full {
		e.fault("%s has no room", "EC2", func(s *micro) { s.full = true })
	}
}

// inUse: some Release names the pool.
func (e *expansion) inUse(pool int) bool {
	return slices.ContainsFunc(e.from.releases, func(r microRelease) bool { return r.layout[pool] != "" && !r.gone })
}

func (e *expansion) hurt(i int, words string, change func(*microServer)) {
	next := e.from.clone()
	change(&next.servers[i])
	next.faults--
	e.add(next, unfair, words, serverName(next.servers[i].id))
}

func (e *expansion) fault(words, subject string, change func(*micro)) {
	e.change(unfair, words, subject, func(s *micro) {
		change(s)
		s.faults--
	})
}

// end is the end of a server, whoever brought it about. The pools let go of it.
func (m *microServer) end() {
	m.state, m.seats = StateTerminated, [poolCount]seat{}
}

// darkenEC2 makes EC2 unreadable: the process goes by what it last saw.
func (s *micro) darkenEC2() {
	for r := range s.releases {
		s.releases[r].known = s.visible(r)
	}
	s.darkEC2 = true
}

// losePool deletes a load balancer in AWS, and makes it again without members when that is mended.
func (s *micro) losePool(pool int) {
	s.lost[pool] = true
	for i := range s.servers {
		m := &s.servers[i]
		m.left = m.left || m.seats[pool] != seatNone
		m.seats[pool] = seatNone
	}
}

// carryOut is the effect of one call.
func (s *micro) carryOut(r int, a Action, of *scope) *LaunchResult {
	switch a := a.(type) {
	case Launch:
		return s.runInstances(r, a, of.lag)
	case Register:
		s.register(a)
	case Deregister:
		pool := poolIndex(a.Pool.ID)
		for _, id := range a.Servers {
			m := s.server(id)
			if m == nil || m.seats[pool] == seatNone || m.seats[pool] == seatDraining {
				continue
			}
			if m.seats[pool] = seatDraining; of.staleness {
				m.seats[pool] = seatStale
			}
		}
	case Tag:
		for _, id := range a.Servers {
			m := s.server(id)
			m.role = a.Role
			if a.Adopt {
				m.owner = r
			}
		}
	case Terminate:
		for _, id := range a.Servers {
			if m := s.server(id); m.alive() {
				m.end()
			}
		}
	}
	return nil
}

// register puts servers into a pool. As AWS has it, one that does not run spoils the whole call, and one that is draining
// is healthy again at once.
func (s *micro) register(a Register) {
	pool := poolIndex(a.Pool.ID)
	for _, id := range a.Servers {
		if m := s.server(id); s.lost[pool] || m == nil || m.state != StateRunning {
			return
		}
	}
	for _, id := range a.Servers {
		m := s.server(id)
		switch m.seats[pool] {
		case seatNone:
			m.seats[pool], m.left = seatComing, false
		case seatStale, seatDraining:
			m.seats[pool] = seatServing
		}
	}
}

// runInstances answers as EC2 does, once for each token.
func (s *micro) runInstances(r int, l Launch, hidden bool) *LaunchResult {
	result := &LaunchResult{Revision: l.Revision, Token: l.Attempt.Token}
	ended := 0
	for i := range s.servers {
		if m := &s.servers[i]; m.token == l.Attempt.Token {
			result.Servers = append(result.Servers, serverName(m.id))
			if !m.alive() {
				ended++
			}
		}
	}
	switch {
	case ended > 0 && ended == len(result.Servers):
		result.Servers = nil
		result.Failure = Failure{FailureDied, ReasonLaunchFailed, "IdempotentInstanceTerminated"}
	case len(result.Servers) > 0:
	case s.full:
		result.Failure = Failure{FailureCapacity, ReasonNoCapacity, "InsufficientInstanceCapacity"}
	default:
		_, restoring := s.releases[r].soft.Since["restore/"+s.stable(r)]
		for range l.Attempt.Places {
			result.Servers = append(result.Servers, s.boot(r, l, restoring, hidden))
		}
	}
	return result
}

func (s *micro) boot(r int, l Launch, young, hidden bool) string {
	s.servers = append(s.servers, microServer{
		id: s.next, owner: r, version: versionOf(l.Revision), subnet: l.Attempt.Subnet, token: l.Attempt.Token, state: StatePending, role: l.Attempt.Role,
		young: young, hidden: hidden,
	})
	s.next++
	return serverName(s.next - 1)
}

func poolIndex(id string) int { return slices.Index(poolNames[:], id) }

// versionOf is the version that a revision was made of.
func versionOf(revision string) string { return revision[len(revision)-1:] }
