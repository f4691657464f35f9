package e2e

import (
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// What is slow, short or lost in an AWS that is at its worst, by what it concerns: all at once in Harsh, each for itself in Matrix.

// awsPace stops, registers and drains as slowly as AWS does, which the scenarios else spare themselves. Boots are as quick as ever:
// the scenarios count calls by servers that come all at once.
func awsPace(k *localaws.Knobs) {
	d := localaws.DefaultKnobs()
	k.ShuttingDown, k.Stopping = 2*d.ShuttingDown, 2*d.Stopping
	k.Balancers.ClassicRegistration, k.Balancers.ApplicationRegistration = d.Balancers.ClassicRegistration, d.Balancers.ApplicationRegistration
	k.Balancers.ClassicInFlight = localaws.Span{Min: 10 * time.Second, Max: 60 * time.Second}
	k.Balancers.Provisioning = localaws.Span{Min: time.Minute, Max: 3 * time.Minute}
}

// lateDead leaves terminated servers in their pools for most of the time that a world is given to come to rest (tenSweeps): with the
// minute that they take to end, 4 to 5 of its 5½ minutes.
func lateDead(k *localaws.Knobs) {
	k.Balancers.TerminatedLeave = localaws.Span{Min: 3 * time.Minute, Max: 4 * time.Minute}
}

// earlyDead lets terminated servers lose their tags while they can be described, and be gone in a third of AWS's hour. One that lost
// them before anybody looked would be missed for five minutes more (the core's patience with what EC2 hides).
func earlyDead(k *localaws.Knobs) {
	k.TerminatedTags, k.TerminatedVisible = 10*time.Minute, 20*time.Minute
}

// longMemory refuses the token of a server that ended for longer than the day that AWS promises at least, and forgets deregistered
// images at once: the harsher of both.
func longMemory(k *localaws.Knobs) {
	k.TokenLife, k.DeregisteredKnown = 72*time.Hour, 0
}

// lateNetwork is what was observed of Network Load Balancers at their slowest.
func lateNetwork(k *localaws.Knobs) {
	k.Balancers.NetworkRegistration = localaws.Span{Min: 300 * time.Second, Max: 300 * time.Second}
	k.Balancers.NetworkDeregistration = localaws.Span{Min: 300 * time.Second, Max: 300 * time.Second}
	k.Balancers.NetworkDeregistrationLag = localaws.Span{Min: 2 * time.Minute, Max: 2 * time.Minute}
}

// slowChecks has the status checks of instances, and new images, take long.
func slowChecks(k *localaws.Knobs) {
	k.StatusInitializing, k.StatusInterval, k.ImagePending = 10*time.Minute, 5*time.Minute, 10*time.Minute
}

// tightQuotas are lower than by default: the largest of the scenarios' worlds just fits, with two fleets of 201 servers.
func tightQuotas(k *localaws.Knobs) {
	k.Balancers.Quotas = localaws.BalancerQuotas{GroupsPerBalancer: 10, TargetsPerApplication: 900, TargetsPerNetwork: 900, TargetsPerNetworkZone: 450,
		TargetsPerGroup: 450, Groups: 20, RulesPerBalancer: 10, ListenersPerBalancer: 5, ClassicBalancers: 10}
}
