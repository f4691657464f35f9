package swap

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// Swap is how long a promotion or a rollback took.
type Swap struct {
	// FirstRegister, LastHealthy and LastDeregister are when these took effect in the production pools.
	FirstRegister, LastHealthy, LastDeregister time.Time
	// Took is from the edit to LastDeregister, Bound from FirstRegister to LastHealthy.
	Took, Bound time.Duration

	incoming map[string]bool // the servers that were registered
}

// Over is how much of it was not AWS's own.
func (s Swap) Over() time.Duration { return s.Took - s.Bound }

// View is whose calls count, and where.
type View struct {
	// Caller is the access key of who swaps; empty: anybody.
	Caller string
	// Production reports whether a pool, by its name in AWS, is one of those that serve users.
	Production func(pool string) bool
}

// Measure reads from the ledger what happened in production after the edit was sent. It fails where something is missing: nothing
// was registered, or became healthy, or was deregistered after that.
func (v View) Measure(entries []localaws.Entry, edited time.Time) (Swap, error) {
	s := Swap{incoming: map[string]bool{}}
	for _, e := range entries {
		switch {
		case e.Change != nil:
			v.seeChange(&s, e)
		case v.changed(e) && v.Production(PoolOf(e.Call.Params)):
			s.seeCall(e)
		}
	}
	switch {
	case s.FirstRegister.IsZero():
		return s, errors.New("nothing was registered in production")
	case s.LastHealthy.IsZero():
		return s, errors.New("no incoming server became healthy in production")
	case s.LastDeregister.Before(s.LastHealthy):
		return s, errors.New("nothing was deregistered in production after the incoming servers were healthy")
	}
	s.Took, s.Bound = s.LastDeregister.Sub(edited), s.LastHealthy.Sub(s.FirstRegister)
	return s, nil
}

// seeCall takes note of who comes to production and who leaves it.
func (s *Swap) seeCall(e localaws.Entry) {
	switch {
	case strings.HasPrefix(e.Call.Action, "Deregister"):
		s.LastDeregister = e.Time
	case strings.HasPrefix(e.Call.Action, "Register"):
		if s.FirstRegister.IsZero() {
			s.FirstRegister = e.Time
		}
		for _, id := range serversOf(e.Call) {
			s.incoming[id] = true
		}
	}
}

// seeChange takes note of when an incoming server became healthy; those that serve already may falter and recover.
func (v View) seeChange(s *Swap, e localaws.Entry) {
	pool, server, _ := strings.Cut(e.Change.Resource, "/")
	if e.Change.To == "healthy" && v.Production(pool) && s.incoming[server] {
		s.LastHealthy = e.Time
	}
}

// changed reports whether an entry is a call by which the caller changed something.
func (v View) changed(e localaws.Entry) bool {
	return v.made(e) && e.Call.Mutates && len(e.Call.Effects) > 0
}

// made reports whether an entry is a call of the caller.
func (v View) made(e localaws.Entry) bool {
	return e.Call != nil && (v.Caller == "" || e.Call.Who.AccessKey == v.Caller)
}

// Mutations counts the caller's calls that are there to change something, by action, whatever came of them.
func (v View) Mutations(entries []localaws.Entry) map[string]int {
	counts := map[string]int{}
	for _, e := range entries {
		if v.made(e) && e.Call.Mutates {
			counts[e.Call.Action]++
		}
	}
	return counts
}

// Calls counts all calls of the caller, as "elb:DescribeInstanceHealth".
func (v View) Calls(entries []localaws.Entry) map[string]int {
	counts := map[string]int{}
	for _, e := range entries {
		if v.made(e) {
			counts[e.Call.Service+":"+e.Call.Action]++
		}
	}
	return counts
}

// PoolOf is the name of the pool that a call with these parameters is about; empty if it is about none.
func PoolOf(params url.Values) string {
	if name := params.Get("LoadBalancerName"); name != "" {
		return name
	}
	// arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID
	parts := strings.Split(params.Get("TargetGroupArn"), "/")
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
