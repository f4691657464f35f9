package safety

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/e2e"
)

// met listens until its end for calls of Slipway that meet what somebody did to the world, and tells whether there was one. Nothing says so
// of itself, unlike a fault that the local AWS makes: a quota is used up, and nobody may have asked for a server meanwhile.
func met(w *e2e.World, meets func(call localaws.Call) bool) (end func() (hit bool)) {
	var hit atomic.Bool
	remove := w.AWS.Hook(func(phase localaws.Phase, call localaws.Call, _ localaws.World) {
		if phase == localaws.AfterCall && call.Who.AccessKey == slipwayKey && meets(call) {
			hit.Store(true)
		}
	})
	return func() bool { remove(); return hit.Load() }
}

// refusedBy: AWS refused such a call with the code.
func refusedBy(action, code string) func(localaws.Call) bool {
	return func(call localaws.Call) bool {
		return call.Action == action && call.Err != nil && strings.HasPrefix(call.Err.Error(), code+":")
	}
}

// looksAtEdge: a reading of all members of the production pool edge.
func looksAtEdge(call localaws.Call) bool {
	return call.Action == "DescribeInstanceHealth" && call.Err == nil && call.Params.Get("LoadBalancerName") == edgePool &&
		!call.Params.Has("Instances.member.1.InstanceId")
}

// worldFaults are what happens to servers, load balancers and zones, and what strangers do.
func worldFaults() []cell {
	cells := []cell{
		injected("pool edge vanishes for a minute", "pool edge vanish back=60s"),
		injected("balancer api vanishes for a minute", "balancer api vanish back=60s"),
		injected("pool test vanishes for a minute", "pool test vanish back=60s"),
		injected("credentials expire", "key "+slipwayKey+" expire back=60s"),
		injected("AWS's clock is 10 minutes ahead", "clock skew=10m back=60s"),
		injected("a zone is out", "zone us-east-1a out back=60s"),
	}
	for _, version := range []string{"v1", "v2"} {
		cells = append(cells, ofServer("a server of "+version+" dies", version, "kill"))
		for _, period := range []time.Duration{time.Second, 10 * time.Second, 2 * time.Minute} {
			cells = append(cells, ofServer(fmt.Sprintf("a server of %s flaps every %s", version, period), version, fmt.Sprintf("flap=%s back=%s", period, window)))
		}
	}
	return append(cells, groupMadeAgain, strangersComeAndGo, ourMemberIsTaken, protected, quota)
}

// ofServer happens to the first server of a version; in Preview v2 has none yet, and it happens to the first that is launched.
func ofServer(name, version, what string) cell {
	return cell{name: name, begin: func(w *e2e.World) func() bool {
		pattern, when := "*", " on=ec2:RunInstances"
		if servers := w.Servers(version); len(servers) > 0 {
			pattern, when = servers[0].ID, ""
		}
		if pattern == "*" {
			what += " count=1"
		}
		return inject(w, "server "+pattern+" "+what+when)
	}}
}

// groupMadeAgain: somebody deletes the target group, makes it again under its name, and lets a load balancer forward to it.
var groupMadeAgain = cell{name: "target group api is deleted and made again", byHand: true, begin: func(w *e2e.World) func() bool {
	end := injected("", "pool api vanish back=60s").begin(w)
	return func() bool {
		hit := end()
		w.MakeListener("again", "api")
		return hit
	}
}}

// strangersComeAndGo: a person registers a server of his own with the production pool edge, and takes it out again.
var strangersComeAndGo = cell{name: "a stranger joins edge and leaves", byHand: true, begin: func(w *e2e.World) func() bool {
	stranger := w.HandMade(map[string]string{"Name": "stranger"}, edgePool)
	seen := met(w, looksAtEdge)
	return func() bool {
		hit := seen()
		if len(w.Members(edgePool)) < 3 {
			w.Fatalf("the stranger was taken out of edge\n%s", w.Story())
		}
		_, err := w.Person().ELB.DeregisterInstancesFromLoadBalancer(w.Context(), &elb.DeregisterInstancesFromLoadBalancerInput{
			LoadBalancerName: aws.String(edgePool), Instances: []elbtypes.Instance{{InstanceId: &stranger}},
		})
		if err != nil {
			w.Fatalf("%v", err)
		}
		return hit
	}
}}

// ourMemberIsTaken: somebody takes a server of ours out of the production pool edge.
var ourMemberIsTaken = cell{name: "somebody takes our server out of edge", byHand: true, begin: func(w *e2e.World) func() bool {
	for _, m := range w.Members(edgePool)[:1] {
		_, err := w.Person().ELB.DeregisterInstancesFromLoadBalancer(w.Context(), &elb.DeregisterInstancesFromLoadBalancerInput{
			LoadBalancerName: aws.String(edgePool), Instances: []elbtypes.Instance{{InstanceId: &m.InstanceID}},
		})
		if err != nil {
			w.Fatalf("%v", err)
		}
	}
	return met(w, looksAtEdge)
}}

// protected: a person protects all servers from termination for a while.
var protected = cell{name: "termination protection", byHand: true, begin: func(w *e2e.World) func() bool {
	protect := func(on bool) {
		for _, s := range w.Servers("") {
			if !s.Alive {
				continue
			}
			_, err := w.Person().EC2.ModifyInstanceAttribute(w.Context(), &ec2.ModifyInstanceAttributeInput{
				InstanceId: aws.String(s.ID), DisableApiTermination: &ec2types.AttributeBooleanValue{Value: &on},
			})
			if err != nil {
				w.Fatalf("%v", err)
			}
		}
	}
	protect(true)
	met := met(w, refusedBy("TerminateInstances", "OperationNotPermitted"))
	return func() bool { protect(false); return met() }
}}

// quota: the account may launch nothing for a while.
var quota = cell{name: "quota of servers used up", begin: func(w *e2e.World) func() bool {
	w.AWS.SetInstanceQuota(len(w.Servers("")))
	met := met(w, refusedBy("RunInstances", "InstanceLimitExceeded"))
	return func() bool { w.AWS.SetInstanceQuota(-1); return met() }
}}
