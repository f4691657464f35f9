package localaws

import "time"

// classicRules is how the members of a classic load balancer behave.
type classicRules struct{ lb *classicBalancer }

func (r classicRules) balancer() *balancer { return &r.lb.balancer }

func (r classicRules) firstPasses() int {
	if r.lb.realm.c.knobs.Balancers.ClassicFirstNeedsThreshold {
		return r.lb.pool.check.healthy
	}
	return 1
}

func (r classicRules) rejoin(m *member) restart {
	known := m.turn > 0 || m.phase == draining
	if known && r.lb.realm.c.knobs.Balancers.ClassicReregisterSkips {
		return checks
	}
	return afresh
}

// departure: with draining on, the connections of a healthy instance are kept until they end or the timeout passes, and
// those of an unhealthy one without a limit; with it off they are cut at once (classic guide, connection draining).
func (r classicRules) departure(m *member) departure {
	if !r.lb.attrs.draining {
		return departure{}
	}
	if !m.healthy() {
		return departure{keep: true}
	}
	return departure{limit: time.Duration(r.lb.attrs.drainTimeout) * time.Second, untilIdle: true}
}

// severs: connections to an instance that becomes unhealthy are let finish (same page).
func (r classicRules) severs() bool { return false }

// stickyFor: the cookie policies of classic load balancers are not simulated.
func (r classicRules) stickyFor() time.Duration { return 0 }

// failsOpen: a classic load balancer without healthy instances answers 503 (classic guide, error messages).
func (r classicRules) failsOpen(int, int) bool { return false }

func (r classicRules) crossZone() bool { return r.lb.attrs.crossZone }

// The descriptions of DescribeInstanceHealth, as in the API reference of InstanceState.
const (
	classicNotRegistered = "Instance is not currently registered with the LoadBalancer."
	classicDraining      = "Instance deregistration currently in progress."
	classicRegistering   = "Instance registration is still in progress."
	classicOtherZone     = "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to."
	classicNotPassed     = "Instance has not passed the configured HealthyThreshold number of health checks consecutively."
	classicFailed        = "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."
)

// status is the tuple of a member. InService with "N/A" twice is the only one that means ready: a draining instance
// reads InService too (salt pull request 43435).
func (r classicRules) status(m *member) status {
	switch {
	case m.phase == draining:
		return status{"InService", "N/A", classicDraining}
	case m.phase == waiting:
		return r.waiting(m)
	case m.phase == registering:
		return status{"OutOfService", "ELB", classicRegistering}
	}
	return r.judged(m.shown)
}

// judged is the tuple of a member that is checked.
func (r classicRules) judged(v verdict) status {
	switch {
	case v.standing == healthy:
		return status{"InService", "N/A", "N/A"}
	case v.standing == unknown && v.fails == 0 && v.passes == 0:
		return status{"OutOfService", "ELB", classicRegistering}
	case v.standing == unhealthy && v.passes == 0,
		v.standing == unknown && v.passes == 0 && r.lb.realm.c.knobs.Balancers.ClassicFailedFromStart:
		return status{"OutOfService", "Instance", classicFailed}
	}
	return status{"OutOfService", "Instance", classicNotPassed}
}

// waiting is why a member is not checked.
func (r classicRules) waiting(m *member) status {
	switch m.inst.state {
	case statePending:
		return status{"OutOfService", "Instance", "Instance is in pending state."}
	case stateStopped:
		return status{"OutOfService", "Instance", "Instance is in stopped state."}
	case stateTerminated:
		return status{"OutOfService", "Instance", "Instance is in terminated state."}
	}
	if r.lb.realm.c.now().Before(r.lb.leaving[m.inst.az]) {
		return status{"OutOfService", "ELB", "Disable Availability Zone is currently in progress."}
	}
	return status{"OutOfService", "ELB", classicOtherZone}
}
