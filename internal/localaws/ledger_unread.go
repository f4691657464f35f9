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
			maps.DeleteFunc(last, func(_ string, w Entry) bool {
				return w.Account == e.Account && w.Region == e.Region && e.Call.shows(w.Call)
			})
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
	return there && !c.ReplyLost && (!c.Mutates || c.Action == "ReceiveMessage")
}

// shownBy are the reads, of any service, in which the effect of a write can be seen, by what the write's name says that it is about:
// the first word that occurs in it counts. Free addresses of a subnet, members and events show servers, too.
var shownBy = []shown{
	{"ec2", "Instance", []string{"DescribeInstances", "DescribeInstanceStatus", "DescribeInstanceAttribute", "DescribeVolumes", "DescribeTags",
		"DescribeSubnets", "DescribeTargetHealth", "DescribeInstanceHealth", "elb:DescribeLoadBalancers", "ReceiveMessage"}},
	{"ec2", "Fleet", []string{"DescribeInstances"}},
	{"ec2", "Image", []string{"DescribeImages"}},
	{"ec2", "LaunchTemplate", []string{"DescribeLaunchTemplates", "DescribeLaunchTemplateVersions"}},
	{"ec2", "Tags", []string{"DescribeTags", "DescribeInstances", "DescribeImages", "DescribeVolumes", "DescribeLaunchTemplates", "DescribeSubnets"}},
	{"elb", "Instances", []string{"DescribeInstanceHealth", "DescribeLoadBalancers"}},
	{"elb", "Attributes", []string{"DescribeLoadBalancerAttributes"}},
	{"elb", "Tags", []string{"DescribeTags"}},
	{"elb", "", []string{"DescribeLoadBalancers", "DescribeLoadBalancerAttributes", "DescribeInstanceHealth"}},
	{"elbv2", "Targets", []string{"DescribeTargetHealth"}},
	{"elbv2", "LoadBalancerAttributes", []string{"DescribeLoadBalancerAttributes"}},
	{"elbv2", "TargetGroupAttributes", []string{"DescribeTargetGroupAttributes"}},
	{"elbv2", "TargetGroup", []string{"DescribeTargetGroups", "DescribeTargetHealth"}},
	{"elbv2", "Rule", []string{"DescribeRules", "DescribeTargetHealth"}},
	{"elbv2", "Listener", []string{"DescribeListeners", "DescribeRules", "DescribeTargetHealth"}},
	{"elbv2", "Tags", []string{"DescribeTags"}},
	{"elbv2", "", []string{"DescribeLoadBalancers"}},
	{"ssm", "", []string{"GetParameter"}},
	{"cloudwatch", "", []string{"DescribeAlarms"}},
	{"sqs", "CreateQueue", []string{"GetQueueUrl", "ReceiveMessage"}},
	{"sqs", "", []string{"ReceiveMessage"}},
}

// shown says in which reads the writes of a service show that are about something.
type shown struct {
	service, about string
	reads          []string // an operation's name; behind "service:" where another service has one of the same name that shows nothing
}

func (s shown) by(w *CallEntry) bool {
	return s.service == w.Service && strings.Contains(w.Action, s.about)
}

// shows tells whether the effect of write w can be seen in what the call reads.
func (c *CallEntry) shows(w *CallEntry) bool {
	i := slices.IndexFunc(shownBy, func(row shown) bool { return row.by(w) })
	return i >= 0 && (slices.Contains(shownBy[i].reads, c.Action) || slices.Contains(shownBy[i].reads, c.Service+":"+c.Action))
}
