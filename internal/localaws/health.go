package localaws

import (
	"slices"
	"strconv"
	"time"
)

// Span is a range that a delay is drawn from, evenly and by the seed. A zero Span is no delay.
type Span struct{ Min, Max time.Duration }

// BalancerKnobs are the delays of load balancers and what AWS's pages leave open. Sources as in Knobs; "observed"
// means reports of users or maintainers, which AWS does not promise.
type BalancerKnobs struct {
	// ClassicRegistration is the time from RegisterInstancesWithLoadBalancer to the first possible health check.
	// AWS: up to approximately 30 seconds (classic guide, troubleshooting registration).
	ClassicRegistration Span
	// ApplicationRegistration is the same for targets of an Application Load Balancer. Assumed; AWS names no figure.
	ApplicationRegistration Span
	// NetworkRegistration is the same for targets of a Network Load Balancer. Observed: 180 to 300 s
	// (aws-load-balancer-controller issue 1834, citing AWS support).
	NetworkRegistration Span
	// NetworkDeregistration is the least time that a target of a Network Load Balancer reads draining, whatever the
	// deregistration delay. Observed: 180 to 300 s (same issue).
	NetworkDeregistration Span
	// DeregistrationLag is how long nodes go on sending new requests to a target after it was deregistered. AWS: none
	// ("as soon as you deregister"). Observed: seconds, and about two minutes with a Network Load Balancer
	// (aws-load-balancer-controller issues 1064 and 2366).
	DeregistrationLag Span
	// RulePropagation is the time until a node follows a changed rule or listener; each node draws its own. Assumed;
	// AWS names no figure. Observed: nodes follow at different times (argo-rollouts issue 4595).
	RulePropagation Span
	// PrioritiesArriveTogether lets a node learn of all priorities of one SetRulePriorities in one piece. Off: rule by rule, each
	// after a delay of its own, so that for a while it may follow an order that is neither the old one nor the new. No page
	// says which.
	PrioritiesArriveTogether bool
	// HealthLag is how far DescribeTargetHealth and DescribeInstanceHealth trail what the nodes found. Assumed.
	HealthLag Span
	// Provisioning is the time from CreateLoadBalancer (v2) until its state is active. Assumed; minutes in reality.
	Provisioning Span

	// NetworkDeregistrationLag is DeregistrationLag for the nodes of Network Load Balancers alone. Observed: about two minutes,
	// whatever the deregistration delay (aws-load-balancer-controller issue 2366). Off: DeregistrationLag counts for them too.
	NetworkDeregistrationLag Span
	// NetworkRefusesWeights refuses weights, and several target groups, in the actions of Network Load Balancers, as AWS did
	// before November 2025. Off.
	NetworkRefusesWeights bool
	// DefaultRuleIsInvalid refuses ModifyRule for a default rule with ValidationError. Off: with OperationNotPermitted, which AWS's
	// model lists for the operation. No page says which.
	DefaultRuleIsInvalid bool
	// WeightsFailOver lets the groups of a weighted action take over, by their weights, from one in which a node finds nobody
	// healthy, clients that stay with it included. Off: the group keeps its share, and fails open or answers 503. The guide tells
	// of failing open group by group, and of more groups no page says.
	WeightsFailOver bool
	// HTTPChecksWaitSixSeconds is the default timeout of the health checks of HTTP groups after the SDK's documentation. Off: 5 s,
	// after the Application Load Balancers guide.
	HTTPChecksWaitSixSeconds bool
	// DeleteMissingGroupFails refuses DeleteTargetGroup for a group that does not exist. Off: it succeeds. No page says which.
	DeleteMissingGroupFails bool
	// Quotas are limits, which AWS raises on request.
	Quotas BalancerQuotas

	// ClassicAcceptsPending lets pending instances be registered, which then read "Instance is in pending state." Off: they are
	// refused. The description exists, and no page says what is accepted.
	ClassicAcceptsPending bool
	// ClassicDrainsByDefault makes classic load balancers with connection draining on. Off: the guide tells how to turn it on.
	ClassicDrainsByDefault bool
	// ClassicLeftReasonELB gives instances that have left the reason code ELB. Off: Instance. No page says which.
	ClassicLeftReasonELB bool
	// ClassicZoneLeaving is how long the members of a zone read "Disable Availability Zone is currently in progress." The
	// description is AWS's; no figure is known. Off.
	ClassicZoneLeaving Span
	// ClassicUnknown is how often, from 0 to 1, DescribeInstanceHealth says of a member that a transient error occurred. The
	// state Unknown is AWS's. Off.
	ClassicUnknown float64
	// ClassicFirstNeedsThreshold makes a new classic member pass HealthyThreshold checks before its first InService.
	// AWS's pages disagree: one successful check (troubleshooting page), or the threshold (registration page). Off.
	ClassicFirstNeedsThreshold bool
	// ClassicFailedFromStart describes a new classic member that fails its first checks at once as having failed the
	// UnhealthyThreshold. Off: until then it "has not passed the configured HealthyThreshold". No page says which.
	ClassicFailedFromStart bool
	// ClassicReregisterSkips lets an instance that was registered before start with its first health check, without
	// ClassicRegistration. Observed once (ansible issue 5232). Off.
	ClassicReregisterSkips bool
	// ClassicInFlight is how long the last request in flight takes to end while a classic member drains and no data
	// plane is there to know. Draining ends then or at its timeout, whichever is first (AWS). The figure is assumed.
	ClassicInFlight Span
	// ClassicListsDraining lists draining instances in DescribeInstanceHealth for a call that names none. AWS: such a call
	// answers for what is registered, and only a call by name promises to tell of an instance that is not any more (API
	// reference); whether one that drains is still listed, no page says. Off.
	ClassicListsDraining bool
	// ClassicShowsTerminated lists terminated instances in DescribeInstanceHealth. AWS: they are not returned. Off.
	ClassicShowsTerminated bool

	// TerminatedLeave is when a terminated instance leaves its pools by itself. Observed that it does
	// (ec2-spot-converter issue 4); the figure is assumed.
	TerminatedLeave Span
	// FailOpenSkipsInitial keeps targets that were never judged out of fail-open routing. Off: they are included
	// (observed, open-guides/og-aws issue 116).
	FailOpenSkipsInitial bool
}

func defaultBalancerKnobs() BalancerKnobs {
	return BalancerKnobs{
		ClassicRegistration:     Span{0, 30 * time.Second},
		ApplicationRegistration: Span{0, 10 * time.Second},
		NetworkRegistration:     Span{180 * time.Second, 300 * time.Second},
		NetworkDeregistration:   Span{180 * time.Second, 300 * time.Second},
		RulePropagation:         Span{0, time.Second},
		ClassicInFlight:         Span{time.Second, 5 * time.Second},
		TerminatedLeave:         Span{30 * time.Second, 3 * time.Minute},
		Quotas:                  defaultBalancerQuotas(),
	}
}

// balancers is what one realm has of load balancers and target groups. Guarded by Cloud.mu.
type balancers struct {
	classic   map[string]*classicBalancer
	v2        map[string]*loadBalancer // by ARN
	groups    map[string]*targetGroup  // by ARN
	listeners map[string]*listener     // by ARN
	rules     map[string]*rule         // by ARN
	members   map[string][]*member     // of all pools, by instance id or address, by joining
	plane     *dataPlane               // of the home realm only: see Cloud.plane
}

func newBalancers(*realm) *balancers {
	return &balancers{
		classic:   map[string]*classicBalancer{},
		v2:        map[string]*loadBalancer{},
		groups:    map[string]*targetGroup{},
		listeners: map[string]*listener{},
		rules:     map[string]*rule{},
		members:   map[string][]*member{},
	}
}

// draw picks a delay that belongs to a purpose and its turn: the same one each time, whatever was drawn before.
func (r *realm) draw(s Span, what string, turn int) time.Duration {
	if s.Max <= s.Min {
		return s.Min
	}
	return between(r.c.source("balancers", r.account, r.region, what, strconv.Itoa(turn)), s.Min, s.Max)
}

// balancersInstanceChanged hears of every change of an instance's state or of its application's answer. Called with
// c.mu held, after the change.
func (c *Cloud) balancersInstanceChanged(in *instance) {
	if plane := c.plane(); plane != nil {
		plane.follow(in)
	}
	for _, m := range slices.Clone(in.realm.balancers.members[in.id]) {
		m.reconsider()
	}
	for _, m := range slices.Clone(in.realm.balancers.members[in.privateIP]) {
		if m.inst == in {
			m.reconsider()
		}
	}
}
