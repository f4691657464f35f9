package localaws

import (
	"slices"
	"time"
)

// view is what one node of the load balancer knows of a member: it checks the member in a loop of its own, on a grid of the
// interval with a random phase, and sends requests by what it found itself. What the control plane tells is the worst of
// all views (member.sum). Guarded by Cloud.mu.
type view struct {
	member    *member
	node      *node
	verdict   verdict
	lingering bool      // the member drains, but this node has not heard of it yet
	due       time.Time // of the next check
	step      *wake     // for it; nil: none is scheduled
	dropped   bool      // the node does not check the member any more
}

// watch makes the views those of the nodes that check the member. A node that comes later starts from what the others found.
func (m *member) watch() {
	lb := m.pool.rules.balancer()
	for _, v := range m.views {
		if !slices.Contains(lb.nodes, v.node) || !v.node.checks(m) {
			v.cancel()
			v.dropped = true
		}
	}
	m.views = slices.DeleteFunc(slices.Clone(m.views), func(v *view) bool { return v.dropped })
	for _, n := range lb.nodes {
		if n.checks(m) && m.viewOf(n) == nil {
			v := &view{member: m, node: n, verdict: m.verdict}
			m.views = append(m.views, v)
			v.checkSoon()
		}
	}
	m.sum("the nodes that check it changed")
}

// renew lets the node of a zone begin its checks anew, from what the others found.
func (m *member) renew(zone string) {
	if m.phase != checked {
		return
	}
	for _, v := range m.views {
		if v.node.zone == zone {
			v.cancel()
			v.dropped = true
		}
	}
	m.views = slices.DeleteFunc(slices.Clone(m.views), func(v *view) bool { return v.dropped })
}

// viewOf is what a node knows of the member; nil if it does not check it.
func (m *member) viewOf(n *node) *view {
	for _, v := range m.views {
		if v.node == n {
			return v
		}
	}
	return nil
}

// checkAll begins the loops of all views anew.
func (m *member) checkAll() {
	for _, v := range m.views {
		v.checkSoon()
	}
}

// checkSoon puts the checks on a grid of the interval with a random phase.
func (v *view) checkSoon() {
	m := v.member
	phase := m.draw(Span{0, m.pool.check.interval}, "phase/"+v.node.zone)
	v.due = m.pool.realm.c.clock.Now().Add(phase)
	v.schedule()
}

func (v *view) schedule() {
	v.cancel()
	c := v.member.pool.realm.c
	v.step = c.after(v.due.Sub(c.clock.Now()), checkIsDue{v})
}

// checkIsDue is one health check.
type checkIsDue struct{ v *view }

func (j checkIsDue) run(*Cloud) { j.v.tick() }

func (v *view) cancel() {
	if v.step != nil {
		v.step.stop()
		v.step = nil
	}
}

// tick is one health check. The next one is due an interval after this one began, however long the answer takes.
func (v *view) tick() {
	m := v.member
	v.due = v.due.Add(m.pool.check.interval)
	v.schedule()
	if v.node.down {
		v.judge(timedOut()) // nobody hears of what it finds
		return
	}
	m.pool.realm.c.probe(v)
}

// found takes the outcome of a check that began in that epoch.
func (v *view) found(o outcome, epoch uint64) {
	if v.member.epoch == epoch && !v.dropped {
		v.judge(o)
	}
}

// judge counts the outcome of a check.
func (v *view) judge(o outcome) {
	m := v.member
	changed := v.verdict.observe(o, m.pool.check, m.pool.rules.firstPasses())
	why := o.text
	switch {
	case !o.passed:
	case m.verdict.standing == unknown:
		why = "passed its first health check"
	default:
		why = "passed enough health checks in a row"
	}
	m.sum(why)
	if changed {
		v.node.publish()
	}
	if v.settled(o) && m.pool.realm.c.plane() == nil {
		v.cancel()
	}
}

// settled tells whether more checks with the same outcome would change nothing. Without a data plane the outcome follows from
// the application, so that the loop rests until that changes (wake): days in which nothing happens cost nothing.
func (v *view) settled(o outcome) bool {
	return v.verdict.standing == healthy && o.passed || v.verdict.standing == unhealthy && !o.passed
}

// wake lets loops that rest go on, each on its grid.
func (m *member) wake() {
	now := m.pool.realm.c.clock.Now()
	for _, v := range m.views {
		if v.step != nil {
			continue
		}
		if interval := m.pool.check.interval; !v.due.After(now) {
			v.due = v.due.Add((now.Sub(v.due)/interval + 1) * interval)
		}
		v.schedule()
	}
}

// sum makes the member's verdict from the views: a member is healthy when all nodes that check it find it so, and unhealthy
// as soon as one does. AWS says how each node decides, and not what it tells of nodes that disagree; assumed.
func (m *member) sum(why string) {
	before := m.verdict.standing
	m.verdict = m.worst()
	m.show()
	if m.verdict.standing == before {
		return
	}
	m.note(why)
	if m.verdict.standing == unhealthy && m.pool.rules.severs() {
		m.sever()
	}
	m.pool.reroute()
}

// worst is the verdict of the node that thinks least of the member. Nodes that are down have no say, unless all are.
func (m *member) worst() verdict {
	worst, found := m.verdict, false
	for _, v := range m.views {
		if v.node.down && slices.ContainsFunc(m.views, func(other *view) bool { return !other.node.down }) {
			continue
		}
		if !found || v.verdict.worseThan(worst) {
			worst, found = v.verdict, true
		}
	}
	return worst
}

// worseThan compares what two nodes think of a member: failed before not decided before healthy, and then by progress.
func (v verdict) worseThan(other verdict) bool {
	rank := [...]int{unhealthy: 0, unknown: 1, healthy: 2}
	if v.standing != other.standing {
		return rank[v.standing] < rank[other.standing]
	}
	if v.fails != other.fails && v.standing == unknown {
		return v.fails > other.fails
	}
	return v.passes < other.passes
}

// linger keeps requests coming for a while after the deregistration: each node hears of it in its own time. It reports
// whether any node does.
func (m *member) linger() bool {
	knobs, some := m.pool.realm.c.knobs.Balancers, false
	span := knobs.DeregistrationLag
	if lb := m.pool.rules.balancer(); lb != nil && lb.kind == network && knobs.NetworkDeregistrationLag != (Span{}) {
		span = knobs.NetworkDeregistrationLag
	}
	for _, v := range m.views {
		lag := m.draw(span, "deregistration/"+v.node.zone)
		if lag <= 0 {
			continue
		}
		v.lingering, some = true, true
		m.pool.realm.c.after(lag, nodeHears{v, m.epoch})
	}
	return some
}

// nodeHears tells a node of a deregistration.
type nodeHears struct {
	v     *view
	epoch uint64
}

func (j nodeHears) run(*Cloud) {
	if m := j.v.member; m.epoch == j.epoch {
		j.v.lingering = false
		m.hear()
	}
}

// hear lets a node stop; the last one closes the member's gate.
func (m *member) hear() {
	if !slices.ContainsFunc(m.views, func(v *view) bool { return v.lingering }) {
		m.detach()
	}
	m.pool.reroute()
}
