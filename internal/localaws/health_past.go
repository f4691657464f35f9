package localaws

import (
	"slices"
	"time"
)

// pastStatus is what Describe calls told of a member from a moment on.
type pastStatus struct {
	since  time.Time
	status status
	phase  phase
}

// buried is a member that left.
type buried struct {
	member *member
	at     time.Time
}

// remember notes what Describe calls tell of the member now, if it is something else than before.
func (m *member) remember() {
	now := pastStatus{m.pool.realm.c.now(), m.pool.rules.status(m), m.phase}
	if n := len(m.past); n > 0 && m.past[n-1].status == now.status && m.past[n-1].phase == now.phase {
		return
	}
	old := 0
	for old+1 < len(m.past) && now.since.Sub(m.past[old+1].since) > maxStale {
		old++
	}
	m.past = append(m.past[old:], now)
}

// bury remembers a member that left.
func (p *pool) bury(m *member) {
	now := p.realm.c.now()
	p.buried = slices.DeleteFunc(p.buried, func(b buried) bool { return now.Sub(b.at) > maxStale })
	p.buried = append(p.buried, buried{m, now})
}

// membersFor are the members that a call sees, by instance and port: those of its moment, which may be in the past.
func (p *pool) membersFor(q *call) []*member {
	if !q.past {
		return p.sorted()
	}
	var found []*member
	for _, b := range p.buried {
		if !b.member.joined.After(q.at) && q.at.Before(b.at) {
			found = append(found, b.member)
		}
	}
	for _, m := range p.members {
		if !m.joined.After(q.at) {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b *member) int { return compareKeys(a.key, b.key) })
	return found
}

// memberFor is one of them.
func (p *pool) memberFor(q *call, key memberKey) (*member, bool) {
	if !q.past {
		m, there := p.members[key]
		return m, there
	}
	for _, m := range p.membersFor(q) {
		if m.key == key {
			return m, true
		}
	}
	return nil, false
}

// statusFor is what a call sees of a member's health, and of its phase.
func (m *member) statusFor(q *call) (status, phase) {
	if !q.past || len(m.past) == 0 {
		return m.pool.rules.status(m), m.phase
	}
	seen := m.past[0]
	for _, p := range m.past {
		if p.since.After(q.at) {
			break
		}
		seen = p
	}
	return seen.status, seen.phase
}
