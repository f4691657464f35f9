package localaws

import (
	"net/http"
	"slices"
	"strings"
)

// stateXML is a state on the wire.
type stateXML struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

func stateOf(name string) stateXML { return stateXML{stateCodes[name], name} }

// stateChangeXML is what became of one instance.
type stateChangeXML struct {
	ID       string   `xml:"instanceId"`
	Current  stateXML `xml:"currentState"`
	Previous stateXML `xml:"previousState"`
}

type stateChanges struct {
	Set items[stateChangeXML] `xml:"instancesSet"`
}

// changeStates applies a change to each instance and answers with the states before and after.
func changeStates(list []*instance, change func(*instance)) stateChanges {
	set := make([]stateChangeXML, len(list))
	for i, in := range list {
		before := in.state
		change(in)
		set[i] = stateChangeXML{in.id, stateOf(in.state), stateOf(before)}
	}
	return stateChanges{itemsOf(set)}
}

// userInitiated is the transition reason that a person's own call leaves.
func (q *call) userInitiated() string {
	return "User initiated (" + q.at.Format("2006-01-02 15:04:05") + " GMT)"
}

// terminateInstances: one unknown id and none is terminated; a protected one, and those of its zone stay while those of
// other zones are terminated, although the call fails (SDK documentation of TerminateInstances).
var terminateInstances = operation{
	params:  []string{"DryRun:bool", "InstanceId.N!", "SkipOsShutdown:bool"},
	mutates: true,
	run:     (*Cloud).terminateInstances,
}

func (c *Cloud) terminateInstances(q *call) (any, *apiError) {
	list, err := q.mutableInstances(q.list("InstanceId"))
	if err != nil {
		return nil, err
	}
	var refused *apiError
	kept := map[string]bool{}
	for _, in := range list {
		if flag := c.guardsTermination(in); flag != "" && in.state != stateTerminated {
			kept[in.az] = true
			refused = firstError(refused, refuse("OperationNotPermitted",
				"The instance '%s' may not be terminated. Modify its '%s' instance attribute and try again.", in.id, flag))
		}
	}
	if err := q.dryRun(); err != nil {
		return nil, firstError(refused, err)
	}
	if err := c.spend(q, len(list)); err != nil {
		return nil, err
	}
	ended := slices.DeleteFunc(slices.Clone(list), func(in *instance) bool { return kept[in.az] })
	result := changeStates(ended, func(in *instance) {
		in.abrupt = q.bool("SkipOsShutdown", false)
		c.shutDown(in, reasonUser, q.userInitiated(), "terminated by a call")
	})
	if len(ended) > 0 {
		q.effect("terminated %s", strings.Join(idsOf(ended), ", "))
	}
	if refused != nil {
		return nil, refused
	}
	return result, nil
}

// guardsTermination is the attribute that forbids to terminate the instance, "" if none does.
func (c *Cloud) guardsTermination(in *instance) string {
	switch {
	case in.protectTerminate:
		return "disableApiTermination"
	case in.protectStop && c.knobs.StopProtectionBlocksTermination:
		return "disableApiStop"
	}
	return ""
}

// firstError is the first error that there is.
func firstError(errs ...*apiError) *apiError {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

var stopInstances = operation{
	params:  []string{"DryRun:bool", "InstanceId.N!", "SkipOsShutdown:bool"},
	mutates: true,
	run:     (*Cloud).stopInstances,
}

func (c *Cloud) stopInstances(q *call) (any, *apiError) {
	list, err := q.mutableInstances(q.list("InstanceId"))
	if err != nil {
		return nil, err
	}
	for _, in := range list {
		if err := in.stoppable(); err != nil {
			return nil, err
		}
	}
	if err := q.dryRun(); err != nil {
		return nil, err
	}
	if err := c.spend(q, len(list)); err != nil {
		return nil, err
	}
	q.effect("stopped %s", strings.Join(idsOf(list), ", "))
	return changeStates(list, func(in *instance) {
		if in.state == stateRunning {
			in.abrupt = q.bool("SkipOsShutdown", false)
			c.stop(in, reasonUser, q.userInitiated(), "stopped by a call")
		}
	}), nil
}

// stoppable refuses to stop instances that never ran («cannot be stopped as it has never reached the 'running' state»,
// cloud-custodian pull request 6014) or are ending; one that is stopped already stays so.
func (in *instance) stoppable() *apiError {
	switch {
	case in.protectStop:
		return refuse("OperationNotPermitted",
			"The instance '%s' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", in.id)
	case in.state == statePending:
		return refuse("IncorrectInstanceState", "Instance '%s' cannot be stopped as it has never reached the 'running' state.", in.id)
	case in.state == stateShuttingDown || in.state == stateTerminated:
		return refuse("IncorrectInstanceState", "This instance '%s' is not in a state from which it can be stopped.", in.id)
	}
	return nil
}

// startInstances needs capacity as a launch does; an instance that runs already stays so.
var startInstances = operation{
	params:  []string{"DryRun:bool", "InstanceId.N!"},
	mutates: true,
	run:     (*Cloud).startInstances,
}

func (c *Cloud) startInstances(q *call) (any, *apiError) {
	list, err := q.mutableInstances(q.list("InstanceId"))
	if err != nil {
		return nil, err
	}
	need, err := neededToStart(list)
	if err := firstError(err, q.realm.quotas.fitStart(need)); err != nil {
		return nil, err
	}
	for key, n := range need {
		if q.realm.out[key.az] {
			return nil, zoneIsOut()
		}
		if room, limited := q.realm.capacity[key]; limited && room < n {
			return nil, refuseWith(http.StatusInternalServerError, "InsufficientInstanceCapacity",
				"Insufficient capacity to start %d instances of type %s in %s.", n, key.instanceType, key.az)
		}
	}
	if err := q.dryRun(); err != nil {
		return nil, err
	}
	if err := c.spend(q, len(list)); err != nil {
		return nil, err
	}
	for key, n := range need {
		q.realm.useCapacity(key, n)
	}
	q.effect("started %s", strings.Join(idsOf(list), ", "))
	return changeStates(list, func(in *instance) {
		if in.state == stateStopped {
			in.transitionReason, in.launched, in.abrupt = "", q.at, false
			c.setInstanceState(in, statePending, stateReason{"pending", "pending"}, "started by a call")
			c.boot(in)
		}
	}), nil
}

// neededToStart is the capacity that starting these instances takes.
func neededToStart(list []*instance) (map[capacityKey]int, *apiError) {
	need := map[capacityKey]int{}
	for _, in := range list {
		switch in.state {
		case statePending, stateRunning:
		case stateStopped:
			need[capacityKey{in.instanceType, in.az}]++
		default:
			return nil, refuse("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be started.", in.id)
		}
	}
	return need, nil
}
