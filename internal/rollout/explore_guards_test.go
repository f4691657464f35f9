package rollout

import "strings"

// The guards by themselves. In every state each of them is offered what no stage would plan: every server out of every pool,
// every server ended, servers of others, launches that nobody remembers. Whatever passes all guards must break no law.

// probe offers one Release's guards everything that they are there to stop.
func (e *expansion) probe(r int) {
	in := e.from.observe(r, e.scope)
	v := newView(in)
	v.name()
	v.clocks()
	v.judge()
	v.settlePhase()
	v.enter()
	if in.Spec.Refused.Some() || in.Spec.Deleting {
		return // no stage plans anything; deletion is the exception to laws 1 and 7
	}
	v.actions = nil
	p := &pass{release: r, input: in, out: Decision{Report: Report{Stage: StageRollingBack}}}
	for _, a := range e.madness(in) {
		law, _ := v.holds(a)
		if law != "" {
			e.tally["probe "+law]++
			continue
		}
		if broken := e.from.guarded(p, a, e.scope); broken != "" {
			e.violate("the guards let pass what breaks " + broken)
		}
	}
}

// guarded are the laws that the guards are for, in the weaker form of a rollback.
func (s *micro) guarded(p *pass, a Action, of *scope) string {
	broken := s.law2(p, a, of)
	if broken == "" {
		broken = s.law6(p, a, of)
	}
	if broken != "" {
		return broken
	}
	switch a := a.(type) {
	case Launch:
		return s.law5(p, a, of)
	case Deregister:
		return s.law1(p, a, of)
	case Terminate:
		return s.law4(p, a)
	}
	return ""
}

// madness is what nobody in his right mind would plan.
func (e *expansion) madness(in Input) []Action {
	s, byVersion := e.from, map[string][]string{}
	plan := []Action{
		Terminate{Servers: []string{stranger}, Why: "madness"},
		Tag{Servers: []string{stranger}, Role: RoleStable, Why: "madness"},
	}
	for i := range s.servers {
		m := &s.servers[i]
		byVersion[m.version] = append(byVersion[m.version], serverName(m.id))
		plan = append(plan, Terminate{Servers: []string{serverName(m.id)}, Why: "madness"})
	}
	for _, p := range in.World.Pools {
		plan = append(plan, Register{Pool: p, Servers: []string{stranger}, Why: "madness"}, Deregister{Pool: p, Servers: []string{stranger}, Why: "madness"})
		for _, version := range e.scope.versions {
			servers := byVersion[version]
			if len(servers) == 0 {
				continue
			}
			plan = append(plan, Deregister{Pool: p, Servers: servers, Why: "madness"})
			for _, id := range servers {
				plan = append(plan, Deregister{Pool: p, Servers: []string{id}, Why: "madness"})
			}
		}
	}
	for _, v := range in.Memory.Revisions {
		plan = append(plan, Launch{Revision: v.Name, Attempt: Attempt{Number: 99, Token: strings.Repeat("9", 64), Places: []int{0}, Open: true}, Why: "madness"})
		for _, a := range v.Launches {
			if !a.Open {
				plan = append(plan, Launch{Revision: v.Name, Attempt: a, Why: "madness"})
			}
		}
	}
	return plan
}
