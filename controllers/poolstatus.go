package controllers

import (
	"cmp"
	"slices"
	"strings"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// pools lists the pools of the spec in its order, and behind them those that are being let go. A pool that has not been
// looked at yet (the class refuses, or AWS does not answer) is listed with what the spec says of it.
func (p pass) pools() []v1alpha1.PoolStatus {
	var all []v1alpha1.PoolStatus
	add := func(use rollout.PoolUse, declared []v1alpha1.Pool) {
		for _, d := range declared {
			status := v1alpha1.PoolStatus{Name: d.Name, Role: v1alpha1.PoolRole(use), Kind: v1alpha1.PoolKindTargetGroup}
			switch {
			case d.Classic != nil:
				status.Kind, status.Reference = v1alpha1.PoolKindClassic, d.Classic.Name
			case d.TargetGroup != nil:
				status.Reference = d.TargetGroup.ARN + d.TargetGroup.Name // exactly one is set
			}
			i := slices.IndexFunc(p.obs.input.World.Pools, func(read rollout.Pool) bool { return read.Name == d.Name && read.Use == use })
			if i >= 0 {
				p.describePool(&status, p.obs.input.World.Pools[i])
			}
			all = append(all, status)
		}
	}
	add(rollout.UseTest, p.rel.Spec.LoadBalancers.Test)
	add(rollout.UseProduction, p.rel.Spec.LoadBalancers.Production)
	for _, read := range p.obs.input.World.Pools {
		if read.Use != rollout.UseReleased {
			continue
		}
		status := v1alpha1.PoolStatus{Name: read.Name, Role: v1alpha1.PoolRole(read.Use), Kind: v1alpha1.PoolKindTargetGroup}
		if read.Kind == rollout.KindClassic {
			status.Kind, status.Reference = v1alpha1.PoolKindClassic, read.Name
		}
		p.describePool(&status, read)
		all = append(all, status)
	}
	return all[:min(len(all), v1alpha1.MaxShownPools)]
}

// describePool fills in what a reading of the pool showed.
func (p pass) describePool(status *v1alpha1.PoolStatus, read rollout.Pool) {
	if status.Kind == v1alpha1.PoolKindTargetGroup && read.ID != "" {
		status.Reference = read.ID
	}
	status.Reference = cut(status.Reference, v1alpha1.MaxNameLength)
	heldBy := p.obs.pools[read.ID].heldBy
	status.State = poolState(read, heldBy)
	status.Message = cut(poolMessage(read, heldBy), v1alpha1.MaxTextLength)
	if at, ok := p.lastRead[read.ID]; ok && !read.Readable() {
		status.LastRead = moment(at)
	}
	if !p.unknownServers() { // else nobody knows which of the members are ours
		p.countMembers(status, read)
	}
}

func poolState(read rollout.Pool, heldBy string) v1alpha1.PoolState {
	switch {
	case heldBy != "":
		return v1alpha1.PoolHeldByAnother
	case read.Missing:
		return v1alpha1.PoolNotFound
	case read.Use == rollout.UseReleased:
		return v1alpha1.PoolReleased
	default:
		return v1alpha1.PoolClaimed
	}
}

func poolMessage(read rollout.Pool, heldBy string) string {
	switch {
	case heldBy != "":
		return "held by Release " + heldBy
	case !read.Readable():
		return read.Err
	case read.NotInUse:
		return "no listener or rule forwards to this target group, so its servers never become healthy; add it to a listener"
	default:
		return ""
	}
}

// countMembers counts ours fleet by fleet, lists those that are not healthy with AWS's own reason, and counts the others.
// Members that are draining are registered no more. A reading may list its members in any order, and a status that came out
// in another order would be written for nothing: so servers are shown in order, and those that are cut off are the last ones.
func (p pass) countMembers(status *v1alpha1.PoolStatus, read rollout.Pool) {
	members := slices.SortedFunc(slices.Values(read.Members), func(a, b rollout.Member) int { return cmp.Compare(a.Server, b.Server) })
	fleets := map[string]*v1alpha1.PoolFleetStatus{}
	for _, m := range members {
		revision, ours := p.owners[m.Server]
		draining := m.State == rollout.MemberDraining
		if !ours {
			if !draining {
				status.Strangers++
			}
			continue
		}
		fleet := fleets[revision]
		if fleet == nil {
			fleet = &v1alpha1.PoolFleetStatus{Revision: name(revision), Version: name(p.version(revision))}
			fleets[revision] = fleet
		}
		if draining {
			fleet.Draining++
			continue
		}
		status.Registered++
		fleet.Registered++
		if len(fleet.ServerIDs) < v1alpha1.MaxShownServers {
			fleet.ServerIDs = append(fleet.ServerIDs, name(m.Server))
		}
		if m.State == rollout.MemberHealthy {
			status.Healthy++
			fleet.Healthy++
		} else if len(status.Unhealthy) < v1alpha1.MaxShownUnhealthy {
			status.Unhealthy = append(status.Unhealthy, v1alpha1.UnhealthyServer{
				ServerID: name(m.Server), Revision: name(revision), State: name(string(m.State)), Reason: cut(m.Reason, v1alpha1.MaxReasonLength),
			})
		}
	}
	for _, revision := range sortedKeys(fleets) {
		if len(status.Fleets) < v1alpha1.MaxShownFleets {
			status.Fleets = append(status.Fleets, *fleets[revision])
		}
	}
}

// unknownServers: EC2 cannot be read, and was not since this process began.
func (p pass) unknownServers() bool {
	return p.obs.input.World.ServersErr != "" && len(p.owners) == 0
}

// registered are our servers that are registered in a pool.
func (p pass) registered(pool rollout.Pool) []string {
	var members []string
	for _, m := range pool.Members {
		if _, ours := p.owners[m.Server]; ours && m.State != rollout.MemberDraining {
			members = append(members, m.Server)
		}
	}
	return members
}

// liveVersion is what the production pools serve: the versions with healthy servers in any of them; where none is healthy,
// those that are registered; where no pool could be read, what memory says.
func (p pass) liveVersion() string {
	healthy, registered, read := map[string]bool{}, map[string]bool{}, false
	for _, pool := range p.obs.input.World.Pools {
		if pool.Use != rollout.UseProduction || !pool.Readable() {
			continue
		}
		read = true
		for _, m := range pool.Members {
			revision, ours := p.owners[m.Server]
			if !ours || m.State == rollout.MemberDraining {
				continue
			}
			registered[p.version(revision)] = true
			if m.State == rollout.MemberHealthy {
				healthy[p.version(revision)] = true
			}
		}
	}
	switch {
	case !read, p.unknownServers():
		return p.rememberedVersion()
	case len(healthy) == 0:
		return cut(strings.Join(sortedKeys(registered), "+"), v1alpha1.MaxNameLength)
	default:
		return cut(strings.Join(sortedKeys(healthy), "+"), v1alpha1.MaxNameLength)
	}
}

// rememberedVersion is the version that production was given last, as memory has it.
func (p pass) rememberedVersion() string {
	report := p.decision.Report
	switch {
	case report.Live && report.Candidate != nil:
		return report.Candidate.Version
	case report.Stable != nil:
		return report.Stable.Version
	default:
		return ""
	}
}
