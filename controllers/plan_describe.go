package controllers

import (
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/plan"
	"slipway.dev/slipway/internal/rollout"
)

// describe puts a foresight into the words of a plan: all but its calls.
func (p *planning) describe(seen rollout.Foresight) {
	p.plan.Effective, p.plan.Why = string(seen.Last.Phase), seen.Last.PhaseWhy
	if len(seen.Steps) == 0 {
		p.plan.Effective, p.plan.Why = string(seen.First.Phase), seen.First.PhaseWhy
	}
	p.plan.Reached, p.plan.Outcome = seen.Reached, seen.Last.Message
	p.plan.Fleets = plannedFleets(seen)
	for _, before := range seen.Before.Pools {
		pool := plan.Pool{Name: before.Name, Use: string(before.Use), Kind: string(before.Kind), ID: before.ID, Unread: before.Err}
		if before.Readable() {
			pool.Before = sharesOf(before, seen.Before.Servers)
		}
		if i := slices.IndexFunc(seen.After.Pools, func(after rollout.Pool) bool { return after.ID == before.ID }); i >= 0 && before.Readable() {
			pool.After = sharesOf(seen.After.Pools[i], seen.After.Servers)
		}
		p.plan.Pools = append(p.plan.Pools, pool)
	}
}

// plannedFleets are the fleets of before and after.
func plannedFleets(seen rollout.Foresight) []plan.Fleet {
	var fleets []plan.Fleet
	of := func(s rollout.Server) *plan.Fleet {
		i := slices.IndexFunc(fleets, func(f plan.Fleet) bool { return f.Revision == s.Revision })
		if i < 0 {
			i, fleets = len(fleets), append(fleets, plan.Fleet{Revision: s.Revision, Version: s.Version})
		}
		return &fleets[i]
	}
	count := func(servers []rollout.Server, state func(*plan.Fleet) *plan.FleetState) {
		for _, s := range servers {
			if exists(s) {
				at := state(of(s))
				at.Role, at.Servers = string(s.Role), append(at.Servers, s.ID)
			}
		}
	}
	count(seen.Before.Servers, func(f *plan.Fleet) *plan.FleetState { return &f.Before })
	count(seen.After.Servers, func(f *plan.Fleet) *plan.FleetState { return &f.After })
	return fleets
}

// sharesOf are the versions in a pool, those that drain left out; last the servers that are not ours.
func sharesOf(pool rollout.Pool, servers []rollout.Server) []plan.Share {
	var shares []plan.Share
	others := plan.Share{}
	for _, member := range pool.Members {
		if member.State == rollout.MemberDraining {
			continue
		}
		share := &others
		if i := slices.IndexFunc(servers, func(s rollout.Server) bool { return s.ID == member.Server }); i >= 0 {
			n := slices.IndexFunc(shares, func(s plan.Share) bool { return s.Revision == servers[i].Revision })
			if n < 0 {
				n, shares = len(shares), append(shares, plan.Share{Revision: servers[i].Revision, Version: servers[i].Version})
			}
			share = &shares[n]
		}
		share.Servers = append(share.Servers, member.Server)
		if member.State == rollout.MemberHealthy {
			share.Healthy++
		}
	}
	if len(others.Servers) > 0 {
		shares = append(shares, others)
	}
	return shares
}

// assume says what the plan takes for granted.
func (p *planning) assume(seen rollout.Foresight) {
	input := p.obs.input
	if input.World.ServersErr != "" {
		p.note("EC2 could not be read (%s): the plan goes by the servers that were seen last", input.World.ServersErr)
	}
	for _, pool := range input.World.Pools {
		if !pool.Readable() {
			p.note("%s could not be read (%s), and the plan assumes that it stays so", pool.Label(), pool.Err)
		}
	}
	if sick := sickServers(seen.Before); len(sick) > 0 && len(seen.Steps) > 0 {
		p.note("the plan assumes that these become healthy: %s", strings.Join(sick, "; "))
	}
	if p.last.generation != p.rel.Generation {
		p.note("the Release was edited after the reading: generation %d is declared and %d was read under", p.rel.Generation, p.last.generation)
	}
	launches := slices.ContainsFunc(seen.Steps, func(s rollout.Step) bool {
		return slices.ContainsFunc(s.Actions, func(a rollout.Action) bool { _, is := a.(rollout.Launch); return is })
	})
	if launches {
		p.note("i-new-1 and so on stand for servers to be launched; where EC2 has no room for a type in a subnet, the next type or subnet is tried")
	}
	if input.Spec.AutoRollback && input.Spec.Phase == rollout.PhaseLive {
		p.note("spec.promotion.autoRollback is on: a Live version that falls ill is taken back")
	}
}

// sickServers names up to five servers of ours that a reading shows in a pool and not healthy there, with AWS's reason.
func sickServers(world rollout.World) []string {
	const most = 5
	var sick []string
	for _, pool := range world.Pools {
		for _, member := range pool.Members {
			ours := slices.ContainsFunc(world.Servers, func(s rollout.Server) bool { return s.ID == member.Server })
			if ours && (member.State == rollout.MemberUnhealthy || member.State == rollout.MemberUnknown) {
				sick = append(sick, fmt.Sprintf("%s in %s (%s)", member.Server, pool.Label(), strings.TrimSpace(string(member.State)+" "+member.Reason)))
			}
		}
	}
	if len(sick) > most {
		sick = append(sick[:most], fmt.Sprintf("and %d more", len(sick)-most))
	}
	return sick
}
