package rollout

import "slices"

// Two Releases in one account meet in the pools that both name. A production pool admits one of them. Who that is decides
// package controllers (claims.go) before the core is asked; here is the same rule in other words, so that the core is seen
// with what such a contest makes of its input: calls forbidden, or a pool left out of sight.
//
//	holds the pool           the Release whose servers are in it, else the one that claimed it first, else the lower uid
//	claims                   are written before memory, and compared again, live, before servers first enter a pool
//	a pool held by another   forbids every call; where somebody goes back and was never in it, it is left out instead

// contest compares the claims of a Release with those of the others. One that is being deleted wants no pool any more, and nobody keeps
// it out of one.
func (s *micro) contest(r int, in *Input) {
	if s.releases[r].deleting {
		return
	}
	for p := range poolNames {
		if s.releases[r].layout[p] == "" || !s.heldByAnother(r, p) {
			continue
		}
		problem := Problem{Reason: ReasonPoolHeldByAnother, Message: "pool " + poolNames[p] + " is held by another Release"}
		if GoesBack(*in) && !s.entered(r, p) && s.hasOther(r, p) {
			in.Spec.Contested = problem
			in.World.Pools = slices.DeleteFunc(in.World.Pools, func(pool Pool) bool { return pool.ID == poolNames[p] })
		} else {
			in.Spec.Refused = problem
		}
	}
}

// heldByAnother: another Release has the better right to the pool, and one of the two wants it for production.
func (s *micro) heldByAnother(r, pool int) bool {
	ours := &s.releases[r]
	if s.occupies(r, pool) {
		return false
	}
	for o := range s.releases {
		theirs := &s.releases[o]
		occupied := o != r && !theirs.gone && s.occupies(o, pool)
		claimed := o != r && !theirs.gone && theirs.layout[pool] != "" && theirs.claims[pool] != 0
		if ours.layout[pool] == UseTest && theirs.layout[pool] == UseTest || !occupied && !claimed {
			continue
		}
		mine, other := ours.claims[pool], theirs.claims[pool]
		if occupied || mine == 0 || other < mine || other == mine && o < r {
			return true
		}
	}
	return false
}

// occupies: servers of the Release are in the pool; where it cannot be read memory says so.
func (s *micro) occupies(r, pool int) bool {
	if s.dark[pool] || s.darkEC2 || s.lost[pool] {
		return s.entered(r, pool)
	}
	return slices.ContainsFunc(s.servers, func(m microServer) bool { return m.owner == r && m.seats[pool] != seatNone })
}

// entered: memory knows the pool.
func (s *micro) entered(r, pool int) bool {
	return slices.ContainsFunc(s.releases[r].memory.Revisions, func(v Revision) bool { return slices.Contains(v.Pools, poolNames[pool]) })
}

// hasOther: the Release has a production pool beside this one.
func (s *micro) hasOther(r, pool int) bool {
	for p, use := range s.releases[r].layout {
		if use == UseProduction && p != pool {
			return true
		}
	}
	return false
}

// claim writes the claims of a pass. The number counts up by who came first; at gives one that is known.
func (s *micro) claim(p *pass) { s.claimAt(p, 0) }

func (s *micro) claimAt(p *pass, at int) {
	rel := &s.releases[p.release]
	if len(p.writes[len(p.writes)-1].Revisions) == 0 || p.input.Spec.Refused.Some() || rel.deleting {
		return
	}
	for pool := range poolNames {
		declared := rel.layout[pool] != "" && slices.ContainsFunc(p.input.World.Pools, func(q Pool) bool { return q.ID == poolNames[pool] })
		switch {
		case !declared:
			rel.claims[pool] = 0
		case rel.claims[pool] == 0:
			for o := range s.releases {
				at = max(at, s.releases[o].claims[pool]+1)
			}
			rel.claims[pool] = at
		}
	}
	s.renumberClaims()
}

// renumberClaims keeps the order of the claims and nothing else.
func (s *micro) renumberClaims() {
	for pool := range poolNames {
		var numbers []int
		for _, rel := range s.releases {
			if rel.claims[pool] != 0 {
				numbers = append(numbers, rel.claims[pool])
			}
		}
		slices.Sort(numbers)
		numbers = slices.Compact(numbers)
		for r := range s.releases {
			if claim := &s.releases[r].claims[pool]; *claim != 0 {
				*claim = slices.Index(numbers, *claim) + 1
			}
		}
	}
}

// contested: the live look before servers first enter a pool shows that another Release holds it.
func (s *micro) contested(p *pass) bool {
	return p.enters && slices.ContainsFunc(p.input.World.Pools, func(pool Pool) bool {
		i := poolIndex(pool.ID)
		return pool.Use != UseReleased && s.heldByAnother(p.release, i)
	})
}

// races are two passes at the same time: both read, both claim, both look again, both act. Where the one had claimed before
// the other looked, that is a pass after the other.
func (e *expansion) races() {
	if len(e.from.releases) < 2 || e.from.releases[0].gone || e.from.releases[1].gone {
		return
	}
	a, b := e.decide(e.from, 0), e.decide(e.from, 1)
	if !a.enters && !b.enters || a.records || b.records {
		return // what enters no pool has nothing in common with the other; what is being recorded has no servers yet
	}
	e.race(a, b, false)
	e.race(b, a, false)
	e.race(a, b, true)
}

func (e *expansion) race(a, b *pass, sameTime bool) {
	next := e.from.clone()
	next.claim(a)
	if sameTime {
		next.claimTogether(a, b)
	} else {
		next.claim(b)
	}
	turned := map[*pass]bool{a: next.contested(a), b: next.contested(b)}
	for _, p := range []*pass{a, b} {
		if turned[p] {
			continue // a conflict: nothing was written but the claims
		}
		all := uint(1)<<len(p.out.Actions) - 1
		e.act(next, p, ending{done: all, answered: all})
	}
	e.add(next, unfair, "both Releases at once: %s", e.namingBoth(a, b, turned))
}

// claimTogether gives b's new claims the moment of a's.
func (s *micro) claimTogether(a, b *pass) {
	fresh := s.releases[b.release].claims
	s.claim(b)
	for pool := range poolNames {
		theirs := s.releases[a.release].claims[pool]
		if claim := &s.releases[b.release].claims[pool]; fresh[pool] == 0 && *claim != 0 && theirs != 0 {
			*claim = theirs
		}
	}
	s.renumberClaims()
}

func (e *expansion) namingBoth(a, b *pass, turned map[*pass]bool) any {
	if !e.telling {
		return nil
	}
	var words string
	for _, p := range []*pass{a, b} {
		words += e.naming(p).(string)
		if turned[p] {
			words += " (turned back: the other one claimed the pool)"
		}
		words += "\n            "
	}
	return words
}
