package localaws

import (
	"slices"
	"time"
)

// maxStatusIDs is how many instances one DescribeInstanceStatus may name (SDK documentation).
const maxStatusIDs = 100

type checkXML struct {
	Status  string           `xml:"status"`
	Details items[detailXML] `xml:"details"`
}

type detailXML struct {
	Name     string `xml:"name"`
	Status   string `xml:"status"`
	Impaired string `xml:"impairedSince,omitempty"`
}

type statusXML struct {
	ID       string          `xml:"instanceId"`
	AZ       string          `xml:"availabilityZone"`
	State    stateXML        `xml:"instanceState"`
	System   checkXML        `xml:"systemStatus"`
	Instance checkXML        `xml:"instanceStatus"`
	EBS      checkXML        `xml:"attachedEbsStatus"`
	Events   items[struct{}] `xml:"eventsSet"`
}

// check is one of the status checks: its summary, and what it says of reachability. Checks run once a minute, so that
// an impairment shows at the next whole minute of the instance (EC2 user guide, status checks).
func (in *instance) check(c *Cloud, state string, now time.Time, impaired bool) checkXML {
	detail := func(summary, reachability string) checkXML {
		return checkXML{summary, itemsOf([]detailXML{{Name: "reachability", Status: reachability}})}
	}
	switch {
	case state != stateRunning:
		return checkXML{Status: "not-applicable"}
	case now.Before(in.running.Add(c.knobs.StatusInitializing)):
		return detail("initializing", "initializing")
	case impaired && !now.Before(in.impairmentSeen(c.knobs.StatusInterval)):
		x := detail("impaired", "failed")
		x.Details.Items[0].Impaired = timestamp(in.impairmentSeen(c.knobs.StatusInterval))
		return x
	}
	return detail("ok", "passed")
}

// impairmentSeen is when the first check after the impairment runs.
func (in *instance) impairmentSeen(interval time.Duration) time.Time {
	if interval <= 0 {
		return in.impairedSince
	}
	since := in.impairedSince.Sub(in.running)
	return in.running.Add((since + interval - 1) / interval * interval)
}

func (in *instance) status(c *Cloud, now time.Time) statusXML {
	state, _ := in.shownState(now, c.knobs.StateLag)
	return statusXML{ID: in.id, AZ: in.az, State: stateOf(state), System: in.check(c, state, now, false),
		Instance: in.check(c, state, now, !in.impairedSince.IsZero()), EBS: in.check(c, state, now, false)}
}

// statusFilters are those of DescribeInstanceStatus.
func statusFilters(c *Cloud, now time.Time) filterable[*instance] {
	all := instanceFilters(c, now).fields
	fields := map[string]func(*instance) []string{
		"instance-status.status":       func(in *instance) []string { return one(in.status(c, now).Instance.Status) },
		"instance-status.reachability": func(in *instance) []string { return in.status(c, now).Instance.details() },
		"system-status.status":         func(in *instance) []string { return one(in.status(c, now).System.Status) },
		"system-status.reachability":   func(in *instance) []string { return in.status(c, now).System.details() },
	}
	for _, name := range []string{"availability-zone", "instance-state-name", "instance-state-code"} {
		fields[name] = all[name]
	}
	return filterable[*instance]{fields: fields}
}

func (x checkXML) details() []string {
	out := make([]string, len(x.Details.Items))
	for i, d := range x.Details.Items {
		out[i] = d.Status
	}
	return out
}

// describeInstanceStatus shows running instances only, unless all are asked for.
var describeInstanceStatus = operation{
	params: []string{"DryRun:bool", "InstanceId.N", "Filter.N.Name", "Filter.N.Value.N", "IncludeAllInstances:bool", "MaxResults:int", "NextToken"},
	run: func(c *Cloud, q *call) (any, *apiError) {
		if n := len(q.list("InstanceId")); n > maxStatusIDs {
			return nil, tooManyIDs(n, maxStatusIDs)
		}
		keep, err := statusFilters(c, q.at).compile(q)
		if err != nil {
			return nil, err
		}
		all := q.bool("IncludeAllInstances", false)
		list, next, err := q.instancePage("instancesSet", func(in *instance) bool {
			state, _ := in.shownState(q.at, c.knobs.StateLag)
			return (all || state == stateRunning) && keep(in)
		})
		if err != nil {
			return nil, err
		}
		set := make([]statusXML, 0, len(list))
		for in := range slices.Values(list) {
			set = append(set, in.status(c, q.at))
		}
		return struct {
			Set  items[statusXML] `xml:"instanceStatusSet"`
			Next string           `xml:"nextToken,omitempty"`
		}{itemsOf(set), next}, nil
	},
}
