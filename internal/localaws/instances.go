package localaws

import (
	"cmp"
	"slices"
	"time"
)

// The states of an instance.
const (
	statePending      = "pending"
	stateRunning      = "running"
	stateShuttingDown = "shutting-down"
	stateTerminated   = "terminated"
	stateStopping     = "stopping"
	stateStopped      = "stopped"
)

// stateCodes are the numbers of the states, the low byte of what AWS sends.
var stateCodes = map[string]int{
	statePending: 0, stateRunning: 16, stateShuttingDown: 32, stateTerminated: 48, stateStopping: 64, stateStopped: 80,
}

// instance is one server. Guarded by Cloud.mu.
type instance struct {
	*tagged // id and tags

	realm       *realm
	serial      uint64 // launch order within the realm
	reservation *reservation
	index       int // within the reservation

	imageID, instanceType, keyName string
	az, subnetID, vpcID, privateIP string
	groups                         []string // security group ids
	profile                        *instanceProfile
	userData                       []byte // raw, after base64
	clientToken, tokenKey          string
	interfaceID                    string
	devices                        []blockDevice
	shutdownBehavior, tenancy      string
	metadata                       metadataOptions
	protectTerminate, protectStop  bool
	monitoring, ebsOptimized       bool

	state                           string
	stateReason                     stateReason
	transitionReason                string
	launched, running, terminatedAt time.Time
	visibleFrom, mutableFrom        time.Time   // for LaunchVisible, LaunchMutable
	history                         []pastState // oldest first, for StateLag
	impairedSince                   time.Time   // zero: passes its status check
	impairedByZone                  bool        // since its zone is out
	surplus                         bool        // nobody asked for it: Fault.Twice
	abrupt                          bool        // it ends without a shutdown of its operating system
	gone                            bool        // not even visible as terminated any more
	app                             app
	scheduled                       []*wake // for the present state
}

// reservation is one launch.
type reservation struct{ id string }

// instanceProfile is what a launch may give to its instances.
type instanceProfile struct {
	name, arn, id, role string
	usableFrom          time.Time // for ProfileLag
}

// stateReason is why an instance is in its state, in AWS's codes.
type stateReason struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

// The reasons that AWS gives (SDK documentation of StateReason).
var (
	reasonUser     = stateReason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}
	reasonInstance = stateReason{"Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown"}
	reasonHardware = stateReason{"Server.InternalError", "Server.InternalError: Internal error"}
)

// pastState is what an instance was from a moment on.
type pastState struct {
	since  time.Time
	state  string
	reason stateReason
}

// setInstanceState moves an instance to another state: the one way to do so. It cancels what was scheduled for the
// state that is left, records the change and tells the load balancers. Called with c.mu held.
func (c *Cloud) setInstanceState(in *instance, state string, reason stateReason, why string) {
	from := in.state
	if from == state {
		return
	}
	for _, w := range in.scheduled {
		w.stop()
	}
	in.scheduled = nil
	in.state, in.stateReason = state, reason
	in.history = append(in.history, pastState{c.now(), state, reason})
	in.count(state, +1)
	if lag := c.knobs.TerminatedCounts; lag > 0 && aliveIn(from) {
		c.after(lag, quotaFrees{in, from})
	} else {
		in.count(from, -1)
	}
	if state != stateRunning {
		in.app.serving = false
	}
	c.recordChange(in.realm, "instance", in.id, from, state, why)
	c.announce(in, state)
	c.balancersInstanceChanged(in)
}

// quotaFrees gives back what an instance that is not alive any more took of the quotas.
type quotaFrees struct {
	in   *instance
	from string
}

func (j quotaFrees) run(*Cloud) { j.in.count(j.from, -1) }

// count keeps the account's use of its quotas.
func (in *instance) count(state string, by int) {
	if aliveIn(state) {
		in.realm.quotas.usedInstances += by
		in.realm.quotas.usedVCPUs += by * instanceTypes[in.instanceType].vcpus
	}
}

// inState schedules a job for as long as the instance stays in its present state. Called with c.mu held.
func (c *Cloud) inState(in *instance, d time.Duration, what job) {
	in.scheduled = append(in.scheduled, c.after(d, what))
}

// shutDown begins the end of an instance; it is terminated after the knob's time. Called with c.mu held.
func (c *Cloud) shutDown(in *instance, reason stateReason, transition, why string) {
	if in.state == stateShuttingDown || in.state == stateTerminated {
		return
	}
	in.transitionReason = transition
	if in.state == stateStopped {
		c.terminated(in, reason, why)
		return
	}
	c.setInstanceState(in, stateShuttingDown, reason, why)
	c.inState(in, in.leaving(c.knobs.ShuttingDown), shutDownEnds{in, reason})
}

// leaving is how long an instance takes to end; it is the shutdown of its operating system that takes the time.
func (in *instance) leaving(shutdown time.Duration) time.Duration {
	if in.abrupt {
		return 0
	}
	return shutdown
}

// shutDownEnds ends what shutDown began.
type shutDownEnds struct {
	in     *instance
	reason stateReason
}

func (j shutDownEnds) run(c *Cloud) { c.terminated(j.in, j.reason, "shut down") }

// stop begins to stop an instance. Called with c.mu held.
func (c *Cloud) stop(in *instance, reason stateReason, transition, why string) {
	in.transitionReason = transition
	c.setInstanceState(in, stateStopping, reason, why)
	c.inState(in, in.leaving(c.knobs.Stopping), stopEnds{in, reason})
}

// stopEnds ends what stop began.
type stopEnds struct {
	in     *instance
	reason stateReason
}

func (j stopEnds) run(c *Cloud) { c.setInstanceState(j.in, stateStopped, j.reason, "shut down") }

// terminated ends an instance: its address is free again, its volumes and interface are gone, and after a while it
// cannot be described any more. Called with c.mu held.
func (c *Cloud) terminated(in *instance, reason stateReason, why string) {
	r := in.realm
	in.terminatedAt = c.now()
	c.setInstanceState(in, stateTerminated, reason, why)
	if s := r.subnets[in.subnetID]; s != nil {
		s.release(in.privateIP)
	}
	delete(r.tagged, in.interfaceID)
	r.dropVolumes(in)
	if in.tokenKey != "" {
		r.forgetToken(in.tokenKey)
	}
	if lag := c.knobs.TerminatedTags; lag > 0 {
		c.after(lag, tagsVanish{in})
	}
	c.after(c.knobs.TerminatedVisible, instanceVanishes{in})
}

// tagsVanish and instanceVanishes are what becomes of an instance after its end.
type (
	tagsVanish       struct{ in *instance }
	instanceVanishes struct{ in *instance }
)

func (j tagsVanish) run(*Cloud)       { clear(j.in.tags) }
func (j instanceVanishes) run(*Cloud) { j.in.realm.forget(j.in) }

// forget removes an instance for good.
func (r *realm) forget(in *instance) {
	in.gone = true
	r.c.recordChange(r, "instance", in.id, stateTerminated, "forgotten", "terminated long enough")
	delete(r.instances, in.id)
	delete(r.tagged, in.id)
	delete(r.c.instances, in.id)
	r.gone++
	if r.gone > len(r.order)/2 {
		r.order = slices.DeleteFunc(r.order, func(in *instance) bool { return in.gone })
		r.gone = 0
	}
}

// launchedAfter are the realm's instances with a higher serial, in the order of their launch, forgotten ones included.
func (r *realm) launchedAfter(serial uint64) []*instance {
	i, found := slices.BinarySearchFunc(r.order, serial, func(in *instance, s uint64) int { return cmp.Compare(in.serial, s) })
	if found {
		i++
	}
	return r.order[i:]
}

// visible says whether Describe calls show the instance yet.
func (in *instance) visible(now time.Time) bool { return !in.gone && !now.Before(in.visibleFrom) }

// shownState is the state that Describe calls show, which may be an old one (Knobs.StateLag, Fault.Stale).
func (in *instance) shownState(now time.Time, lag time.Duration) (string, stateReason) {
	shown := in.history[0]
	for _, past := range in.history {
		if past.since.After(now.Add(-lag)) {
			break
		}
		shown = past
	}
	return shown.state, shown.reason
}

// terminatedBy tells whether a reader of that moment sees it terminated.
func (in *instance) terminatedBy(at time.Time) bool {
	state, _ := in.shownState(at, 0)
	return state == stateTerminated
}

// mutableInstances finds the instances that a changing call names. An instance that is not visible to such calls yet
// is not found (EC2 developer guide, eventual consistency); one bad id fails the call.
func (q *call) mutableInstances(ids []string) ([]*instance, *apiError) {
	return q.namedInstances(ids, func(in *instance) bool { return !q.at.Before(in.mutableFrom) })
}

// visibleInstances is the same for calls that read.
func (q *call) visibleInstances(ids []string) ([]*instance, *apiError) {
	return q.namedInstances(ids, func(in *instance) bool { return in.visible(q.at) })
}

// theirs says whether the id is that of another account's instance in the same region.
func (q *call) theirs(id string) bool {
	in := q.realm.c.instances[id]
	return in != nil && in.realm != q.realm && in.realm.region == q.realm.region
}

func (q *call) namedInstances(ids []string, seen func(*instance) bool) ([]*instance, *apiError) {
	known := make(map[string]*instance, len(ids))
	for _, id := range ids {
		if in := q.realm.instances[id]; in != nil && seen(in) {
			known[id] = in
		}
	}
	return pick(instanceID, ids, known)
}
