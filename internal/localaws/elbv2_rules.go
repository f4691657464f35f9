package localaws

import (
	"strconv"
	"time"
)

// groupRules is how the targets of a target group behave.
type groupRules struct{ tg *targetGroup }

func (r groupRules) balancer() *balancer {
	if lb := r.tg.serving(); lb != nil {
		return &lb.balancer
	}
	return nil
}

// firstPasses: «After your target is registered, it must pass one health check to be considered healthy» (both
// guides); the healthy threshold is for targets that were unhealthy.
func (r groupRules) firstPasses() int { return 1 }

// rejoin: registering a draining instance again cancels the draining (ansible issue 58995).
func (r groupRules) rejoin(m *member) restart {
	if m.phase == draining {
		return resumed
	}
	return afresh
}

// departure: draining lasts for the whole delay, even for an idle target (Application Load Balancers guide). Flows of a
// Network Load Balancer outlive it unless connection termination is on.
func (r groupRules) departure(m *member) departure {
	n, _ := strconv.Atoi(r.tg.attrs[delayAttribute]) // validated when it was set
	out := departure{limit: time.Duration(n) * time.Second}
	if lb := r.balancer(); lb != nil && lb.kind == network {
		out.limit = max(out.limit, m.draw(m.pool.realm.c.knobs.Balancers.NetworkDeregistration, "deregistered"))
		out.keep = r.tg.attrs[terminationAttribute] != "true"
	}
	return out
}

// severs: flows to a target that becomes unhealthy are reset, by default (SDK documentation of TargetGroupAttribute).
func (r groupRules) severs() bool { return r.tg.attrs[severAttribute] == "true" }

// stickyFor is the life of the load balancer's own cookie.
func (r groupRules) stickyFor() time.Duration {
	if r.tg.attrs[stickyAttribute] != "true" {
		return 0
	}
	n, _ := strconv.Atoi(r.tg.attrs[stickyForAttribute]) // validated when it was set
	return time.Duration(n) * time.Second
}

// failsOpen: with fewer healthy targets than the minimum, all targets get requests.
func (r groupRules) failsOpen(healthy, total int) bool {
	least, _ := strconv.Atoi(r.tg.attrs[minimumAttribute])
	percent, _ := strconv.Atoi(r.tg.attrs[percentageAttribute]) // 0 for "off"
	return healthy < least || healthy*100 < percent*total
}

func (r groupRules) crossZone() bool {
	switch r.tg.attrs[crossZoneAttribute] {
	case "true":
		return true
	case "false":
		return false
	}
	lb := r.tg.serving()
	return lb == nil || lb.attrs[crossZoneAttribute] == "true"
}

// status is a target's health in the words of DescribeTargetHealth, which reads unused as soon as no rule names the group.
func (r groupRules) status(m *member) status {
	switch {
	case m.phase == draining:
		return status{"draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"}
	case m.phase == waiting, r.tg.lb == nil:
		return r.unused(m)
	case m.phase == registering:
		return status{"initial", "Elb.RegistrationInProgress", "Target registration is in progress"}
	}
	switch m.shown.standing {
	case healthy:
		return status{state: "healthy"}
	case unhealthy:
		failure := m.shown.failure
		if r.tg.lb.kind == network {
			failure = unreachable() // the only reason that the Network Load Balancers guide knows
		}
		return status{"unhealthy", failure.reason, failure.text}
	}
	return status{"initial", "Elb.InitialHealthChecking", "Initial health checks in progress"}
}

// unused is why a target is not checked.
func (r groupRules) unused(m *member) status {
	switch {
	case r.tg.lb == nil:
		return status{"unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"}
	case m.pool.addresses:
	case m.inst.state == stateTerminated:
		return status{"unused", "Target.InvalidState", "Target is in the terminated state"}
	case m.inst.state == stateStopped, m.inst.state == statePending:
		return status{"unused", "Target.InvalidState", "Target is in the stopped state"}
	}
	return status{"unused", "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer"}
}
