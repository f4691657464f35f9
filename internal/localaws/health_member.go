package localaws

import (
	"slices"
	"time"
)

// phase is where a member is in its life.
//
//	                     ┌──────────── the load balancer, its rules, the zone or the instance ───────────┐
//	                     ▼                                                                               │
//	join ──▶ waiting ──may be checked──▶ registering ──registration delay──▶ checked (verdict) ──────────┤
//	            │                             │                                 │                        │
//	            └───────── leave ─────────────┴──────────── leave ──────────────┴──▶ draining ──▶ gone   │
//	                                                                                    └── join again ──┘
//
// The instance leaves by itself some time after it was terminated.
type phase int

const (
	waiting     phase = iota // cannot be checked: instance not running, pool not in use, or zone not enabled
	registering              // the load balancer prepares; no checks yet
	checked                  // health checks run; the verdict counts
	draining                 // deregistered; open connections may end
)

// member is one registration of an instance in a pool. Guarded by Cloud.mu.
type member struct {
	pool   *pool
	key    memberKey
	inst   *instance
	turn   int // which registration of this key it is
	phase  phase
	joined time.Time
	since  time.Time // of the state that record noted last
	was    string    // the state before that; empty at first
	state  string    // that record noted last

	views     []*view // of the nodes that check it, by zone
	verdict   verdict // the worst of the views
	shown     verdict // what Describe calls tell of the verdict: see BalancerKnobs.HealthLag
	untilIdle bool    // draining ends when nothing is in flight
	keep      bool    // its open connections outlive it

	past []pastStatus // by time: for Fault.Stale

	step    *wake  // what happens next in this phase
	epoch   uint64 // of the phase; results of checks that began in another one do not count
	backend *backend
}

// healthy tells whether the load balancer finds the member fit for requests.
func (m *member) healthy() bool { return m.phase == checked && m.verdict.standing == healthy }

// checkable tells whether health checks may run. While an instance stops or shuts down they do, and fail.
func (m *member) checkable() bool {
	lb := m.pool.rules.balancer()
	if lb == nil || !slices.Contains(lb.zones, m.inst.az) {
		return false
	}
	switch m.inst.state {
	case stateRunning, stateStopping, stateShuttingDown:
		return true
	}
	return m.pool.addresses
}

// start begins a registration, the first or a later one.
func (m *member) start(how restart) {
	defer m.remember()
	m.attach()
	m.keep = false
	switch {
	case !m.checkable():
		m.rest()
	case how == resumed && m.verdict.standing != unknown:
		m.enter(checked)
		m.note("registered again while draining")
		m.watch()
		m.checkAll()
	case how == checks:
		m.register(0)
	default:
		m.register(m.registration())
	}
	m.pool.reroute()
}

// registration draws how long the load balancer takes before the first check.
func (m *member) registration() time.Duration {
	k := m.pool.realm.c.knobs.Balancers
	span := k.ClassicRegistration
	switch m.pool.rules.balancer().kind {
	case application:
		span = k.ApplicationRegistration
	case network:
		span = k.NetworkRegistration
	}
	return m.draw(span, "registration")
}

func (m *member) register(d time.Duration) {
	m.enter(registering)
	m.forget()
	m.note("registration is in progress")
	m.next(d, registrationEnds{m})
}

// registrationEnds begins the checks.
type registrationEnds struct{ m *member }

func (j registrationEnds) run(*Cloud) {
	j.m.enter(checked)
	j.m.watch()
}

// forget drops what the nodes found.
func (m *member) forget() {
	for _, v := range m.views {
		v.dropped = true
	}
	m.views, m.verdict, m.shown = nil, verdict{}, verdict{}
}

// rest ends all checking until something changes. An instance that is terminated leaves after a while.
func (m *member) rest() {
	m.enter(waiting)
	m.forget()
	m.note("not checked: " + m.pool.rules.status(m).description)
	if m.inst.state == stateTerminated && !m.pool.addresses {
		m.next(m.draw(m.pool.realm.c.knobs.Balancers.TerminatedLeave, "terminated"), memberVanishes{m, "the instance is terminated"})
	}
}

// reconsider follows a change of the instance, of the zones or of the rules.
func (m *member) reconsider() {
	defer m.remember()
	can := m.checkable()
	switch m.phase {
	case draining:
		return
	case waiting:
		if can {
			m.register(m.registration())
		} else if m.inst.state == stateTerminated && m.step == nil && !m.pool.addresses {
			m.rest()
		}
	default:
		if can {
			m.follow()
			return
		}
		m.rest()
	}
	m.pool.reroute()
}

// follow keeps the checks of a member that is checked going: other nodes may check it now, and find something else.
func (m *member) follow() {
	if m.phase == checked {
		m.watch()
		m.wake()
	}
}

// show lets Describe calls see the present verdict, after HealthLag.
func (m *member) show() {
	now, epoch := m.verdict, m.epoch
	lag := m.draw(m.pool.realm.c.knobs.Balancers.HealthLag, "lag")
	if lag <= 0 {
		m.shown = now
		m.remember()
		return
	}
	m.remember()
	m.pool.realm.c.after(lag, verdictShows{m, epoch, now})
}

// verdictShows lets Describe calls see a verdict, unless the member's phase is over.
type verdictShows struct {
	m       *member
	epoch   uint64
	verdict verdict
}

func (j verdictShows) run(*Cloud) {
	if j.m.epoch == j.epoch {
		j.m.shown = j.verdict
		j.m.remember()
	}
}

// leave deregisters: at once where nothing can be in flight, otherwise after draining.
func (m *member) leave(why string) {
	if m.phase == waiting {
		m.vanish(why)
		return
	}
	how := m.pool.rules.departure(m)
	m.keep = how.keep
	if how.limit <= 0 {
		m.vanish(why)
		return
	}
	k := m.pool.realm.c.knobs.Balancers
	if how.untilIdle && m.backend == nil {
		how.limit = min(how.limit, m.draw(k.ClassicInFlight, "in flight"))
	}
	m.enter(draining)
	m.remember()
	m.record("draining", why)
	m.keep, m.untilIdle = how.keep, how.untilIdle
	m.next(how.limit, memberVanishes{m, "its draining ended"})
	if !m.linger() {
		m.detach()
	}
	m.pool.reroute()
}

// vanish ends the registration.
func (m *member) vanish(why string) {
	if m.pool.members[m.key] != m {
		return
	}
	m.enter(draining)
	m.record("gone", why)
	delete(m.pool.members, m.key)
	m.pool.bury(m)
	known := m.pool.realm.balancers.members
	known[m.key.id] = slices.DeleteFunc(known[m.key.id], func(other *member) bool { return other == m })
	if len(known[m.key.id]) == 0 {
		delete(known, m.key.id)
	}
	m.cut()
	m.pool.reroute()
}

// memberVanishes is vanish, later.
type memberVanishes struct {
	m   *member
	why string
}

func (j memberVanishes) run(*Cloud) { j.m.vanish(j.why) }

// enter begins a phase: what the former one had in store does not happen any more.
func (m *member) enter(p phase) {
	if m.step != nil {
		m.step.stop()
		m.step = nil
	}
	m.phase = p
	m.untilIdle = false
	m.epoch++
	for _, v := range m.views {
		v.cancel()
		v.lingering = false
	}
}

// next schedules the one thing that happens next in this phase.
func (m *member) next(d time.Duration, what job) {
	if m.step != nil {
		m.step.stop()
	}
	m.step = m.pool.realm.c.after(d, what)
}

// draw picks a delay that belongs to this registration; the same registration draws the same one each time.
func (m *member) draw(s Span, what string) time.Duration {
	if s.Max <= s.Min {
		return s.Min
	}
	return m.pool.realm.draw(s, what+"/"+string(m.pool.kind)+"/"+m.pool.name+"/"+m.key.id, m.turn<<16|m.key.port)
}

// note records the state that follows from phase and verdict, if it is another one.
func (m *member) note(why string) {
	state := "registered"
	switch {
	case m.phase == waiting:
		state = "unused"
	case m.verdict.standing == healthy:
		state = "healthy"
	case m.verdict.standing == unhealthy:
		state = "unhealthy"
	}
	if state != m.state {
		m.record(state, why)
	}
}

// record writes a change of state to the ledger.
func (m *member) record(to, why string) {
	kind := "target"
	if m.pool.kind == ClassicPool {
		kind = "member"
	}
	m.pool.realm.c.recordChange(m.pool.realm, kind, m.pool.resource(m.key), m.state, to, why)
	m.was, m.state, m.since = m.state, to, m.pool.realm.c.now()
}
