package localaws

import "strings"

type classicInstance struct {
	InstanceId string
}

type classicInstances struct {
	Instances members[classicInstance]
}

type classicState struct {
	InstanceId  string
	State       string
	ReasonCode  string
	Description string
}

type classicStates struct {
	InstanceStates members[classicState]
}

func registerClassic(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	ids := q.members("Instances", "InstanceId")
	for _, id := range ids {
		if err := lb.admits(q.realm.instances[id], id); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		lb.pool.join(q.realm.instances[id], 0, "registered with "+lb.name)
	}
	q.effect("registered %s with %s", strings.Join(ids, ", "), lb.name)
	return lb.registered(q), nil
}

// admits refuses instances that cannot be registered. The texts are AWS's: boto issue 2274 for the first,
// kubernetes issue 74694 for the second.
func (lb *classicBalancer) admits(in *instance, id string) *apiError {
	mayWait := lb.realm.c.knobs.Balancers.ClassicAcceptsPending
	switch {
	case in == nil:
		return refuse("InvalidInstance", "Could not find EC2 instance %s.", id)
	case in.state != stateRunning && (in.state != statePending || !mayWait):
		return refuse("InvalidInstance", "EC2 instance %s is not in running state.", id)
	case lb.vpcID != "" && in.vpcID != lb.vpcID:
		return refuse("InvalidInstance", "EC2 instance %s is not in the same VPC as ELB.", id)
	}
	return nil
}

// deregisterClassic takes instances out. One that was never registered fails the call, and none is taken out (boto
// issues 2274 and 2576); one that has left before is fine.
func deregisterClassic(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	ids := q.members("Instances", "InstanceId")
	if err := lb.knows(ids); err != nil {
		return nil, err
	}
	var left []string
	for _, id := range ids {
		if lb.pool.leave(memberKey{id: id}, "deregistered from "+lb.name) {
			left = append(left, id)
		}
	}
	if left != nil {
		q.effect("deregistered %s from %s", strings.Join(left, ", "), lb.name)
	}
	return lb.registered(q), nil
}

// knows refuses instances that were never registered.
func (lb *classicBalancer) knows(ids []string) *apiError {
	for _, id := range ids {
		if lb.pool.turns[memberKey{id: id}] == 0 {
			return refuse("InvalidInstance", "Could not find EC2 instance %s.", id)
		}
	}
	return nil
}

// registered lists the instances that a call sees registered and not leaving.
func (lb *classicBalancer) registered(q *call) classicInstances {
	out := classicInstances{}
	for _, id := range lb.listed(q, false) {
		out.Instances.Members = append(out.Instances.Members, classicInstance{id})
	}
	return out
}

// listed are the instances that a call sees, by their names; those that are leaving too where it is told so.
func (lb *classicBalancer) listed(q *call, withDraining bool) (ids []string) {
	for _, m := range lb.pool.membersFor(q) {
		if _, phase := m.statusFor(q); phase != draining || withDraining {
			ids = append(ids, m.key.id)
		}
	}
	return ids
}

// health is what DescribeInstanceHealth says of one instance.
func (lb *classicBalancer) health(q *call, id string) status {
	knobs := lb.realm.c.knobs.Balancers
	m, there := lb.pool.memberFor(q, memberKey{id: id})
	switch {
	case there && knobs.ClassicUnknown > 0 && lb.realm.c.source("unknown", q.requestID, id).Float64() < knobs.ClassicUnknown:
		return status{"Unknown", "ELB", "A transient error occurred. Please try again later."}
	case there:
		s, _ := m.statusFor(q)
		return s
	case knobs.ClassicLeftReasonELB:
		return status{"OutOfService", "ELB", classicNotRegistered}
	}
	return status{"OutOfService", "Instance", classicNotRegistered}
}

// describeClassicHealth tells the state of the named instances, also of those that drain or left, or of all that are
// registered. Terminated ones are left out (API reference of DescribeInstanceHealth).
func describeClassicHealth(c *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	ids := q.members("Instances", "InstanceId")
	if err := lb.knows(ids); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		ids = lb.listed(q, c.knobs.Balancers.ClassicListsDraining)
	}
	out := classicStates{}
	for _, id := range ids {
		in := q.realm.instances[id]
		if (in == nil || in.terminatedBy(q.at)) && !c.knobs.Balancers.ClassicShowsTerminated {
			continue
		}
		s := lb.health(q, id)
		out.InstanceStates.Members = append(out.InstanceStates.Members, classicState{id, s.state, s.reason, s.description})
	}
	return out, nil
}
