package demo

import (
	"errors"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/playground"
)

// swap is how long a promotion or a rollback took.
type swap struct {
	// firstRegister, lastHealthy and lastDeregister are when these took effect in the production pools.
	firstRegister, lastHealthy, lastDeregister time.Time
	// took is from the edit to lastDeregister, bound from firstRegister to lastHealthy.
	took, bound time.Duration

	incoming map[string]bool // the servers that were registered
}

// over is how much of it was not AWS's own.
func (s swap) over() time.Duration { return s.took - s.bound }

// production reports whether a pool is one of those that serve users.
func production(pool string) bool {
	return pool == playground.ProductionClassic || pool == playground.ProductionGroup
}

// measure reads from the ledger what happened in production after the edit was sent.
func measure(entries []localaws.Entry, edited time.Time) (swap, error) {
	s := swap{incoming: map[string]bool{}}
	for _, e := range entries {
		switch {
		case e.Change != nil:
			s.seeChange(e)
		case changed(e) && production(poolOf(e.Call)):
			s.seeCall(e)
		}
	}
	switch {
	case s.firstRegister.IsZero():
		return s, errors.New("nothing was registered in production")
	case s.lastHealthy.IsZero():
		return s, errors.New("no incoming server became healthy in production")
	case s.lastDeregister.Before(s.lastHealthy):
		return s, errors.New("nothing was deregistered in production after the incoming servers were healthy")
	}
	s.took, s.bound = s.lastDeregister.Sub(edited), s.lastHealthy.Sub(s.firstRegister)
	return s, nil
}

// seeCall takes note of who comes to production and who leaves it.
func (s *swap) seeCall(e localaws.Entry) {
	switch {
	case strings.HasPrefix(e.Call.Action, "Deregister"):
		s.lastDeregister = e.Time
	case strings.HasPrefix(e.Call.Action, "Register"):
		if s.firstRegister.IsZero() {
			s.firstRegister = e.Time
		}
		for _, id := range serversOf(e.Call) {
			s.incoming[id] = true
		}
	}
}

// seeChange takes note of when an incoming server became healthy; those that serve already may falter and recover.
func (s *swap) seeChange(e localaws.Entry) {
	pool, server, _ := strings.Cut(e.Change.Resource, "/")
	if e.Change.To == "healthy" && production(pool) && s.incoming[server] {
		s.lastHealthy = e.Time
	}
}

// changed reports whether an entry is a call by which the manager changed something.
func changed(e localaws.Entry) bool {
	return e.Call != nil && e.Call.Who.AccessKey == playground.ManagerKey && e.Call.Mutates && len(e.Call.Effects) > 0
}

// mutations counts the manager's calls that are there to change something, by action, whatever came of them.
func mutations(entries []localaws.Entry) map[string]int {
	counts := map[string]int{}
	for _, e := range entries {
		if e.Call != nil && e.Call.Who.AccessKey == playground.ManagerKey && e.Call.Mutates {
			counts[e.Call.Action]++
		}
	}
	return counts
}

// calls counts all calls of the manager, as "elb:DescribeInstanceHealth".
func calls(entries []localaws.Entry) map[string]int {
	counts := map[string]int{}
	for _, e := range entries {
		if e.Call != nil && e.Call.Who.AccessKey == playground.ManagerKey {
			counts[e.Call.Service+":"+e.Call.Action]++
		}
	}
	return counts
}

// poolOf is the name of the pool that a call is about; empty if it is about none.
func poolOf(c *localaws.CallEntry) string {
	if name := c.Params.Get("LoadBalancerName"); name != "" {
		return name
	}
	// arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID
	parts := strings.Split(c.Params.Get("TargetGroupArn"), "/")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}

// serversOf are the servers that a call names.
func serversOf(c *localaws.CallEntry) []string {
	var ids []string
	for name, values := range c.Params {
		if strings.HasSuffix(name, ".InstanceId") || (strings.HasPrefix(name, "Targets.") && strings.HasSuffix(name, ".Id")) {
			ids = append(ids, values...)
		}
	}
	slices.Sort(ids)
	return ids
}
