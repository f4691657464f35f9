package safety

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"slipway.dev/slipway/internal/localaws"
)

var (
	fleets = []string{"any", "v1", "v2", "v3"}
	// lasting is how long a fault of calls lasts.
	lasting = []string{"10s", "1m", "5m"}
	// failing are calls that fail, and how: all of them, for which of several at once comes first is not said.
	failing = []string{
		"*:*", "ec2:*", "ec2:RunInstances", "ec2:TerminateInstances", "ec2:CreateTags", "ec2:DescribeInstances",
		"elb:*", "elb:Register*", "elb:Deregister*", "elb:*@edge", "elb:*@test", "elbv2:*", "elbv2:Register*", "elbv2:Deregister*",
	}
	howTheyFail = []string{
		"lose-reply", "before=500:InternalError", "before=400:Throttling", "before=403:AccessDenied", "after=500:InternalError", "delay=20s", "hang",
	}
	blindness = []string{"stale=30s", "missing=*1", "missing=i-*"}
)

// mishaps are what happens to servers, load balancers and calls, and what strangers do.
var mishaps = []act{
	{"wait", 8, [][]string{{"1s", "4s", "10s", "40s", "2m", "12m"}}, func(l *life, words []string) { l.w.Pass(duration(words[0])) }},
	{"restart", 1, nil, (*life).restart},
	{"kill", 2, [][]string{fleets, numbers}, ofOne(func(l *life, s localaws.InstanceInfo) { l.must(l.w.AWS.Kill(s.ID)) })},
	{"shut-down", 1, [][]string{fleets, numbers}, ofOne(func(l *life, s localaws.InstanceInfo) {
		if s.State == running {
			l.must(l.w.AWS.ShutDown(s.ID))
		}
	})},
	{"stop", 1, [][]string{fleets, numbers}, ofOne((*life).stop)},
	{"hold", 1, [][]string{fleets, numbers}, ofOne(func(l *life, s localaws.InstanceInfo) { l.w.Hold(s.ID) })},
	{"impair", 1, [][]string{fleets, numbers}, ofOne(func(l *life, s localaws.InstanceInfo) {
		if s.State == running {
			l.must(l.w.AWS.Impair(s.ID))
		}
	})},
	{"sick", 2, [][]string{fleets, numbers}, ofOne(func(l *life, s localaws.InstanceInfo) { l.must(l.w.AWS.SetAppStatus(s.ID, 500)) })},
	{"all-sick", 1, [][]string{fleets}, func(l *life, words []string) { l.answer(words[0], 500) }},
	{"well", 1, [][]string{fleets}, func(l *life, words []string) { l.answer(words[0], 200) }},
	{"flap", 1, [][]string{fleets, numbers, {"1s", "10s", "2m"}}, func(l *life, words []string) {
		if s, ok := l.server(words[0], words[1]); ok {
			l.inject("flap "+s.ID, fmt.Sprintf("server %s flap=%s back=5m", s.ID, words[2]))
		}
	}},
	{"protect", 1, [][]string{onOff}, func(l *life, words []string) { l.protect(words[0] == "on") }},
	{"take-out", 2, [][]string{ourPools, numbers}, (*life).takeOut},
	{"put-in", 1, [][]string{ourPools, fleets, numbers}, (*life).putIn},
	{"stranger", 1, [][]string{ourPools}, (*life).stranger},
	{"stranger-leaves", 1, [][]string{ourPools}, (*life).strangerLeaves},
	{"vanish", 1, [][]string{{"pool:edge", "pool:api", "pool:test", "balancer:api"}, {"40s", "7m"}}, func(l *life, words []string) {
		l.unlistened = l.unlistened || words[0] == "pool:api"
		l.inject("vanish "+words[0], fmt.Sprintf("%s vanish back=%s", strings.ReplaceAll(words[0], ":", " "), words[1]))
	}},
	{"quota", 1, [][]string{{"0", "1", "off"}}, (*life).quota},
	{"no-room", 1, [][]string{{"us-east-1a", "us-east-1b", "*"}, {"t3.micro", "*"}, lasting}, func(l *life, words []string) {
		l.full = true // for people too, as it is below
		l.inject("room", fmt.Sprintf("zone %s full=%s back=%s", words[0], words[1], words[2]))
	}},
	{"zone-out", 1, [][]string{{"us-east-1a", "us-east-1b"}, lasting}, (*life).zoneOut},
	{"expire", 1, [][]string{lasting}, func(l *life, words []string) { l.inject("key", "key AKIASLIPWAY expire back="+words[0]) }},
	{"fail", 4, [][]string{failing, howTheyFail, lasting}, func(l *life, words []string) {
		l.begin(strings.ReplaceAll(words[0], "@", " resource=")+" "+words[1], words[2])
	}},
	{"blind", 2, [][]string{{"ec2:DescribeInstances"}, blindness, lasting}, func(l *life, words []string) {
		l.begin(words[0]+" "+words[1], words[2])
	}},
	{"late", 1, [][]string{{"elb:Describe*", "elbv2:Describe*"}, lasting}, func(l *life, words []string) {
		l.begin(words[0]+" stale=30s", words[1])
	}},
	{"hide", 1, [][]string{{"elb:Describe*", "elbv2:Describe*"}, {"missing=*1", "missing=i-*"}}, (*life).hide},
	{"young", 1, [][]string{{"5s", "1m", "5m"}, lasting}, func(l *life, words []string) { l.begin("ec2:* young="+words[0], words[1]) }},
	{"stillborn", 1, [][]string{lasting}, func(l *life, words []string) {
		l.begin("ec2:RunInstances launch=fail=Server.InternalError", words[0])
	}},
}

// running is the state of a server that does.
const running = "running"

// ofOne is an act that happens to one server of ours.
func ofOne(happens func(l *life, s localaws.InstanceInfo)) func(*life, []string) {
	return func(l *life, words []string) {
		if s, ok := l.server(words[0], words[1]); ok {
			l.undisturbed(func() { happens(l, s) })
		}
	}
}

// restart kills the controller.
func (l *life) restart([]string) {
	if p := l.w.Process(); p != nil {
		p.Crash()
		return
	}
	l.w.Restart()
}

// stop stops a server, as a person does who wants to start it again.
func (l *life) stop(s localaws.InstanceInfo) {
	if s.State != running {
		return
	}
	_, err := l.w.Person().EC2.StopInstances(l.w.Context(), &ec2.StopInstancesInput{InstanceIds: []string{s.ID}})
	l.must(err)
}

// answer makes the application on all servers of a version answer with an HTTP status.
func (l *life) answer(version string, status int) {
	if version == "any" {
		version = ""
	}
	for _, s := range l.w.Servers(version) {
		l.must(l.w.AWS.SetAppStatus(s.ID, status))
	}
}

// protect protects all servers from termination, or none.
func (l *life) protect(on bool) {
	l.undisturbed(func() {
		for _, s := range l.w.Servers("") {
			_, err := l.w.Person().EC2.ModifyInstanceAttribute(l.w.Context(), &ec2.ModifyInstanceAttributeInput{
				InstanceId: aws.String(s.ID), DisableApiTermination: &ec2types.AttributeBooleanValue{Value: &on},
			})
			l.must(err)
		}
	})
}

// takeOut takes a server of ours out of a pool by hand.
func (l *life) takeOut(words []string) {
	info, ok := l.w.AWS.Pool(words[0])
	if !ok {
		return
	}
	var ours []string
	for _, m := range info.Members {
		if !m.Draining && !slices.Contains(l.strangers, m.InstanceID) {
			ours = append(ours, m.InstanceID)
		}
	}
	if len(ours) > 0 {
		l.undisturbed(func() { l.w.TakeOut(words[0], ours[atoi(words[1])%len(ours)]) })
	}
}

// putIn puts a server of ours into a pool by hand.
func (l *life) putIn(words []string) {
	if s, ok := l.server(words[1], words[2]); ok && l.there(words[0]) && s.State == running {
		l.undisturbed(func() { l.w.PutIn(words[0], s.ID) })
	}
}

// stranger is a server that is none of ours, in a pool.
func (l *life) stranger(words []string) {
	if !l.there(words[0]) || l.full {
		return
	}
	l.undisturbed(func() {
		id := l.w.Stranger()
		l.strangers = append(l.strangers, id)
		if l.there(words[0]) { // time has passed
			l.w.PutIn(words[0], id)
		}
	})
}

// strangerLeaves takes the strangers out of a pool.
func (l *life) strangerLeaves(words []string) {
	info, _ := l.w.AWS.Pool(words[0])
	for _, m := range info.Members {
		if slices.Contains(l.strangers, m.InstanceID) {
			l.undisturbed(func() { l.w.TakeOut(words[0], m.InstanceID) })
		}
	}
}

// quota lets the account have so many servers more.
func (l *life) quota(words []string) {
	if words[0] == "off" {
		l.w.AWS.SetInstanceQuota(-1)
		return
	}
	l.full = true
	alive := 0
	for _, s := range l.w.AWS.Instances() {
		if s.Alive {
			alive++
		}
	}
	l.w.AWS.SetInstanceQuota(alive + atoi(words[0]))
}

// hide leaves members out of what is told of the pools, for less than the half minute that a server has to be seen in no pool
// before it is ended, and not again in that time: a load balancer that goes on telling untruths is believed.
func (l *life) hide(words []string) {
	now := l.w.Clock.Now()
	if now.Sub(l.hidden) < time.Minute {
		return
	}
	l.hidden = now
	l.begin(words[0]+" "+words[1], "15s")
}

// zoneOut takes a zone out.
func (l *life) zoneOut(words []string) {
	l.full = true
	l.inject("zone", fmt.Sprintf("zone %s out back=%s", words[0], words[1]))
}
