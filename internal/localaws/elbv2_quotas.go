package localaws

// BalancerQuotas are the limits that AWS sets for what load balancers and target groups have; 0 is no limit. AWS raises most
// of them on request.
type BalancerQuotas struct {
	// GroupsPerBalancer is how many target groups an Application Load Balancer may have.
	GroupsPerBalancer int
	// TargetsPerApplication and TargetsPerNetwork count a target once for each of the load balancer's target groups.
	TargetsPerApplication, TargetsPerNetwork int
	// TargetsPerNetworkZone is for each zone of a Network Load Balancer, and for all of it where balancing is cross-zone.
	TargetsPerNetworkZone int
	// TargetsPerGroup is how many targets a target group may have.
	TargetsPerGroup int
	// Groups is how many target groups an account may have in a Region.
	Groups int
	// RulesPerBalancer is how many rules a load balancer may have; default rules do not count.
	RulesPerBalancer int
	// ListenersPerBalancer is how many listeners a load balancer may have.
	ListenersPerBalancer int
	// ClassicBalancers is how many classic load balancers an account may have in a Region.
	ClassicBalancers int
}

// defaultBalancerQuotas are AWS's own (the three guides, quotas, 2023).
func defaultBalancerQuotas() BalancerQuotas {
	return BalancerQuotas{GroupsPerBalancer: 100, TargetsPerApplication: 1000, TargetsPerNetwork: 3000, TargetsPerNetworkZone: 500,
		TargetsPerGroup: 1000, Groups: 3000, RulesPerBalancer: 100, ListenersPerBalancer: 50, ClassicBalancers: 20}
}

func exceeds(n, limit int) bool { return limit > 0 && n > limit }

// within refuses actions with which the load balancer would have too many target groups or targets; in place of the actions
// of a rule, if one is given.
func (lb *loadBalancer) within(instead *rule, actions []action) *apiError {
	quotas := lb.realm.c.knobs.Balancers.Quotas
	groups := map[*targetGroup]bool{}
	add := func(actions []action) {
		for _, a := range actions {
			for _, g := range a.groups {
				if tg := lb.realm.balancers.groups[g.arn]; tg != nil {
					groups[tg] = true
				}
			}
		}
	}
	add(actions)
	for _, l := range lb.listeners {
		for _, r := range l.rules {
			if r != instead {
				add(r.actions)
			}
		}
	}
	if lb.kind == application && exceeds(len(groups), quotas.GroupsPerBalancer) {
		return refuse("TooManyUniqueTargetGroupsPerLoadBalancer",
			"The maximum number of unique target groups per load balancer '%d' has been reached on load balancer '%s'", quotas.GroupsPerBalancer, lb.arn)
	}
	all := zoneCount{}
	for tg := range groups {
		all.add(tg)
	}
	return lb.carries(all)
}

// zoneCount counts targets by zone.
type zoneCount map[string]int

func (n zoneCount) add(tg *targetGroup) {
	for _, m := range tg.pool.members {
		n[m.inst.az]++
	}
}

// carries refuses more targets than the load balancer may have. The text is AWS's (kubernetes issue 86441).
func (lb *loadBalancer) carries(targets zoneCount) *apiError {
	quotas := lb.realm.c.knobs.Balancers.Quotas
	limit, perZone := quotas.TargetsPerApplication, 0
	if lb.kind == network {
		limit, perZone = quotas.TargetsPerNetwork, quotas.TargetsPerNetworkZone
	}
	total, most := 0, 0
	for _, n := range targets {
		total, most = total+n, max(most, n)
	}
	if lb.attrs[crossZoneAttribute] == "true" {
		most = total
	}
	switch {
	case exceeds(total, limit):
	case exceeds(most, perZone):
		limit = perZone
	default:
		return nil
	}
	return refuse("TooManyTargets", "The maximum number of targets per load balancer '%d' has been reached on load balancer '%s'", limit, lb.arn)
}

// admitsMore refuses new targets, by zone, that the group or its load balancer have no room for.
func (tg *targetGroup) admitsMore(fresh zoneCount) *apiError {
	total := len(tg.pool.members)
	for _, n := range fresh {
		total += n
	}
	if limit := tg.realm.c.knobs.Balancers.Quotas.TargetsPerGroup; exceeds(total, limit) {
		return refuse("TooManyTargets", "The maximum number of targets per target group '%d' has been reached on target group '%s'", limit, tg.arn)
	}
	if tg.lb == nil || total == len(tg.pool.members) {
		return nil
	}
	for _, used := range tg.lb.references() {
		fresh.add(used)
	}
	return tg.lb.carries(fresh)
}
