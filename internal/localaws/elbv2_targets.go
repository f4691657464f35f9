package localaws

import (
	"net/netip"
	"strconv"
	"strings"
)

type targetOnWire struct {
	Id               string
	Port             int
	AvailabilityZone string `xml:",omitempty"`
}

type healthOnWire struct {
	State       string
	Reason      string `xml:",omitempty"`
	Description string `xml:",omitempty"`
}

type targetHealthOnWire struct {
	Target                 targetOnWire
	HealthCheckPort        string `xml:",omitempty"`
	TargetHealth           healthOnWire
	AdministrativeOverride *overrideOnWire `xml:",omitempty"`
}

type targetHealthsOnWire struct {
	TargetHealthDescriptions members[targetHealthOnWire]
}

// targetKeys reads the targets of a call; without a port the group's own is meant.
func (tg *targetGroup) targetKeys(q *call) ([]memberKey, *apiError) {
	var out []memberKey
	for _, p := range q.structs("Targets") {
		key := memberKey{p.str("Id"), p.int("Port", tg.port)}
		if tg.kind == byInstance && !strings.HasPrefix(key.id, "i-") {
			return nil, refuse("ValidationError", "Instance ID '%s' is not valid", key.id)
		}
		if a, err := netip.ParseAddr(key.id); tg.kind == byAddress && (err != nil || !a.Is4()) {
			return nil, refuse("ValidationError", "The provided target ID '%s' is not a valid IPv4 address", key.id)
		}
		if key.port < 1 || key.port > 65535 {
			return nil, refuse("ValidationError", "Port %d is not in the range 1-65535", key.port)
		}
		out = append(out, key)
	}
	return out, nil
}

func registerTargets(_ *Cloud, q *call) (any, *apiError) {
	tg, err := q.targetGroup(q.str("TargetGroupArn"))
	if err != nil {
		return nil, err
	}
	keys, err := tg.targetKeys(q)
	if err != nil {
		return nil, err
	}
	if err := tg.zonesFit(q); err != nil {
		return nil, err
	}
	if err := tg.admits(keys); err != nil {
		return nil, err
	}
	for _, key := range keys {
		tg.pool.join(tg.named(key.id), key.port, "registered with "+tg.name)
	}
	q.effect("registered %s with %s", targetNames(keys), tg.name)
	return nil, nil
}

// admits refuses the whole call if one target cannot be registered. The text for instances that do not run is AWS's
// (kubernetes-sigs/cluster-api-provider-aws issue 5037).
func (tg *targetGroup) admits(keys []memberKey) *apiError {
	var notRunning []string
	fresh := zoneCount{}
	for _, key := range keys {
		in := tg.named(key.id)
		switch {
		case in == nil && tg.kind == byAddress:
			return refuse("InvalidTarget", "The IP address '%s' is not in a subnet of the target group VPC '%s'; others are not simulated here", key.id, tg.vpcID)
		case in == nil:
			return refuse("InvalidTarget", "The following targets do not exist: '%s'", key.id)
		case tg.kind == byAddress:
			if err := tg.stillDrains(key); err != nil {
				return err
			}
		case in.state != stateRunning:
			notRunning = append(notRunning, key.id)
		case in.vpcID != tg.vpcID:
			return refuse("InvalidTarget", "The following targets are not in the target group VPC '%s': '%s'", tg.vpcID, key.id)
		}
		if _, there := tg.pool.members[key]; !there {
			fresh[in.az]++
		}
	}
	if notRunning != nil {
		return refuse("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'",
			strings.Join(notRunning, "', '"))
	}
	return tg.admitsMore(fresh)
}

// deregisterTargets takes targets out; those that are not registered are no error (SDK documentation).
func deregisterTargets(_ *Cloud, q *call) (any, *apiError) {
	tg, err := q.targetGroup(q.str("TargetGroupArn"))
	if err != nil {
		return nil, err
	}
	keys, err := tg.targetKeys(q)
	if err != nil {
		return nil, err
	}
	var left []memberKey
	for _, key := range keys {
		if tg.pool.leave(key, "deregistered from "+tg.name) {
			left = append(left, key)
		}
	}
	if left != nil {
		q.effect("deregistered %s from %s", targetNames(left), tg.name)
	}
	return nil, nil
}

// describeTargetHealth tells the health of the named targets, registered or not, or of all that are registered.
func describeTargetHealth(_ *Cloud, q *call) (any, *apiError) {
	tg, err := q.targetGroup(q.str("TargetGroupArn"))
	if err != nil {
		return nil, err
	}
	keys, err := tg.targetKeys(q)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		for _, m := range tg.pool.membersFor(q) {
			keys = append(keys, m.key)
		}
	}
	out := targetHealthsOnWire{}
	for _, key := range keys {
		d := targetHealthOnWire{Target: targetOnWire{Id: key.id, Port: key.port}, TargetHealth: healthOnWire{"unused",
			"Target.NotRegistered", "Target is not registered to the target group"}}
		if m, there := tg.pool.memberFor(q, key); there {
			s, _ := m.statusFor(q)
			d.TargetHealth = healthOnWire{s.state, s.reason, s.description}
			d.HealthCheckPort = strconv.Itoa(m.checkPort())
			d.AdministrativeOverride = m.override()
			if tg.kind == byAddress {
				d.Target.AvailabilityZone = m.inst.az
			}
		}
		out.TargetHealthDescriptions.Members = append(out.TargetHealthDescriptions.Members, d)
	}
	return out, nil
}

// checkPort is the port that a member is checked on.
func (m *member) checkPort() int {
	if m.pool.check.port != 0 {
		return m.pool.check.port
	}
	return m.key.port
}

func targetNames(keys []memberKey) string {
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = key.id
	}
	return strings.Join(ids, ", ")
}
