package localaws

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Unread are the last writes, of each service in each account and region, after which nobody read what became of them: what a write
// answers is a promise, and only a second call can tell whether the world keeps it. A test asks for it at its end.
func Unread(entries []Entry) []Entry {
	last := map[string]Entry{}
	for _, e := range entries {
		switch {
		case e.Call == nil:
		case e.Call.wrote():
			last[e.in(e.Call.Service)] = e
		case e.Call.read():
			for _, service := range e.Call.shows() {
				delete(last, e.in(service))
			}
		}
	}
	return slices.SortedFunc(maps.Values(last), func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
}

func (e Entry) in(service string) string { return e.Account + "/" + e.Region + "/" + service }

// wrote tells whether the call changed something or was answered as if it had. To receive a message hides it for a while, but is how
// it is read; and of a session that AssumeRole gives there is no list: it is seen in use.
func (c *CallEntry) wrote() bool {
	return c.Mutates && !c.Abandoned && c.Action != "ReceiveMessage" && c.Action != "AssumeRole" && (c.Status == 0 || len(c.Effects) > 0)
}

// read tells whether the call showed the caller the world, or that something is not there.
func (c *CallEntry) read() bool {
	there := c.Status == 0 || strings.Contains(c.Code, "NotFound") || strings.Contains(c.Code, "DoesNotExist")
	return there && !c.ReplyLost && (!c.Mutates || c.Action == "ReceiveMessage") && !slices.Contains(showNothing, c.Action)
}

// showNothing are reads of what no write changes.
var showNothing = []string{"DescribeAccountLimits", "DescribeAvailabilityZones", "DescribeRegions", "GetCallerIdentity"}

// showServers are reads of other services that show what became of servers: who is healthy, who is a member, what events tell.
var showServers = []string{"DescribeTargetHealth", "DescribeInstanceHealth", "DescribeLoadBalancers", "ReceiveMessage"}

// shows are the services whose writes show in what the call reads.
func (c *CallEntry) shows() []string {
	if slices.Contains(showServers, c.Action) {
		return []string{c.Service, "ec2"}
	}
	return []string{c.Service}
}
