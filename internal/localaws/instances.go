package localaws

import "time"

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

	imageID, instanceType, keyName  string
	az, subnetID, vpcID, privateIP  string
	groups                          []string // security group ids
	profile                         *instanceProfile
	userData                        []byte // raw, after base64
	clientToken                     string
	volumeID, interfaceID           string
	shutdownBehavior                string
	metadata                        metadataOptions
	protectTerminate, protectStop   bool
	monitoring, ebsOptimized        bool
	state                           string
	stateReason                     stateReason
	transitionReason                string
	launched, running, terminatedAt time.Time
	history                         []pastState // oldest first, for StateLag
	app                             app
	impairedSince                   time.Time // zero: passes its status check
	gone                            bool      // not even visible as terminated any more
	stopTimers                      []func()  // what is scheduled for the present state
}

// stateReason is why an instance is in its state, in AWS's codes.
type stateReason struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

// pastState is what an instance was from a moment on.
type pastState struct {
	since  time.Time
	state  string
	reason stateReason
}

// setInstanceState moves an instance to another state: the one way to do so. It cancels what was scheduled in the
// state that is left, records the change and tells the load balancers. Called with c.mu held.
func (c *Cloud) setInstanceState(in *instance, state string, reason stateReason, why string) {
	from := in.state
	if from == state {
		return
	}
	for _, stop := range in.stopTimers {
		stop()
	}
	in.stopTimers = nil
	now := c.now()
	in.state, in.stateReason = state, reason
	in.history = append(in.history, pastState{now, state, reason})
	c.recordChange(in.realm, "instance", in.id, from, state, why)
	c.balancersInstanceChanged(in)
}

// inState schedules f for as long as the instance stays in its present state.
func (c *Cloud) inState(in *instance, d time.Duration, f func()) {
	in.stopTimers = append(in.stopTimers, c.after(d, f))
}
