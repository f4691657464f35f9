package e2e

import (
	"slices"
	"strings"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// deletion is the end of a Release, in good times and bad.
var deletion = concat(
	each("deletion with Retain leaves everything as it is", func(w *World, _ moment) { deleteRetain(w) }),
	each("deletion with Terminate leaves nothing", func(w *World, _ moment) {
		w.Edit("web", terminating)
		deleteAll(w)
	}),
	[]Scenario{
		{"deletion with Retain when load balancer and subnet are gone", func(w *World) { w.Live(); breakThings(w); deleteRetain(w) }},
		{"deletion with Retain when the Secret is gone", func(w *World) {
			w.Create(w.secret(scriptKey))
			w.Live(fromSecret)
			w.must("delete the Secret", w.Kube.Delete(w.Context(), w.secret(scriptKey)))
			deleteRetain(w)
		}},
		{"deletion with Terminate when load balancer and subnet are gone", func(w *World) {
			w.Live(terminating)
			breakThings(w)
			deleteAll(w)
		}},
		{"deletion with Terminate in the middle of a promotion when the load balancer is gone", func(w *World) {
			w.Promoting(terminating)
			w.RemoveClassic(edgePool)
			deleteAll(w)
		}},
		{"deletion with Terminate when the target group and the test pool are gone", func(w *World) {
			w.RolledBack(terminating)
			w.RemoveGroup(apiPool)
			w.RemoveClassic(testPool)
			deleteAll(w)
		}},
		{"deletion with Terminate when the Secret is gone, and was never there for the version that is declared", func(w *World) {
			w.Create(w.secret(scriptKey))
			w.Live(terminating, fromSecret)
			w.must("delete the Secret", w.Kube.Delete(w.Context(), w.secret(scriptKey)))
			w.Deploy("web", "v3", v1alpha1.PhasePreview)
			w.Until("v3 has no user data", func() bool { return w.Stalled("web", v1alpha1.ReasonSecretNotFound) })
			deleteAll(w)
		}},
		{"deletion with Terminate leaves a server that a person holds, and says so", deleteHeld},
		{"deletion with Terminate leaves nothing when every record is lost and EC2 shows nothing for a minute", deleteForgotten},
		{"deletion with Terminate in the moment of a launch of which EC2 shows nothing yet", deleteUnseen},
		{"deletion with Terminate says which pool cannot be read, and goes on when it can", deleteUnread},
	},
)

func terminating(rel *v1alpha1.Release) { rel.Spec.DeletionPolicy = v1alpha1.DeletionTerminate }

func fromSecret(rel *v1alpha1.Release) {
	rel.Spec.Template.UserData = &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "web", Key: scriptKey}}
}

// breakThings removes a production load balancer and a subnet.
func breakThings(w *World) {
	w.RemoveClassic("edge")
	w.AWS.RemoveSubnet(w.Site.Subnets[0])
}

// RemoveGroup deletes a target group, and the load balancer of the same name that forwards to it.
func (w *World) RemoveGroup(name string) {
	w.Helper()
	p, ctx := w.Person(), w.Context()
	found, err := p.ELBv2.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{name}})
	w.must("find load balancer "+name, err)
	_, err = p.ELBv2.DeleteLoadBalancer(ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: found.LoadBalancers[0].LoadBalancerArn})
	w.must("delete load balancer "+name, err)
	arn := w.GroupARN(name)
	_, err = p.ELBv2.DeleteTargetGroup(ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &arn})
	w.must("delete target group "+name, err)
}

// deleteRetain deletes "web" and expects that its servers and their memberships stay as they are.
func deleteRetain(w *World) {
	before, servers := w.memberships(), len(w.Servers(""))
	w.Mark()
	w.Delete("web")
	w.UntilWithin("the object is gone", time.Minute, func() bool { return w.Gone("web") })
	w.Pass(5 * time.Minute)
	w.expect(len(w.Mutations()) == 0 && len(w.Servers("")) == servers, "no call was made: %v", w.Mutations())
	w.expect(w.memberships() == before, "every membership is as it was")
	for _, s := range w.Servers("") {
		w.expect(w.told(s.ID), "an event lists %s, which is left", s.ID)
	}
}

// told reports whether an event about "web" has all these words.
func (w *World) told(words ...string) bool {
	return slices.ContainsFunc(w.Events(), func(e Event) bool {
		return e.About == "web" && !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(e.Note, word) })
	})
}

// deleteHeld: the server lives on, out of every pool, and an event names it.
func deleteHeld(w *World) {
	w.Live(terminating)
	victim := w.Servers("v2")[0].ID
	w.Hold(victim)
	w.Until("it is replaced and out of every pool", func() bool { return w.Whole("v2", victim) == 2 && !w.IsMember(victim) })
	said := len(w.Events())
	w.Delete("web")
	w.Until("the object is gone", func() bool { return w.Gone("web") })
	w.Pass(5 * time.Minute)
	left := w.Servers("")
	w.expect(len(left) == 1 && left[0].ID == victim && left[0].State == running, "the held server alone is left: %v", IDs(left))
	w.expect(slices.ContainsFunc(w.Events()[said:], func(e Event) bool { return strings.Contains(e.Note, victim) }), "an event says so")
}

// deleteForgotten: nobody knows any more what was launched, and the first readings leave it out.
func deleteForgotten(w *World) {
	w.Live(terminating)
	w.Delete("web")
	w.wipe()
	w.collectGarbage()
	w.Restart()
	w.AWS.Inject(localaws.Fault{Service: "ec2", Action: "DescribeInstances", Missing: "i-*", Until: time.Minute})
	w.Until("the object is gone", func() bool { return w.Gone("web") })
	w.expect(len(w.Servers("")) == 0, "no server is left: %v", IDs(w.Servers("")))
}

// deleteUnseen: EC2 has launched servers, the reply was lost, and for minutes no reading shows them. They are not left behind.
func deleteUnseen(w *World) {
	w.Settled(terminating)
	w.Pass(3 * time.Minute) // until v1 is too old to be hidden
	for _, line := range []string{"ec2:RunInstances lose-reply", "ec2:Describe* young=3m"} {
		_, err := w.AWS.InjectText(line)
		w.must(line, err)
	}
	w.Deploy("web", "v2", v1alpha1.PhasePreview)
	w.Until("v2 is launched", func() bool { return w.Launched() == 4 })
	w.Delete("web")
	w.UntilWithin("the object is gone", 15*time.Minute, func() bool { return w.Gone("web") })
	w.Pass(5 * time.Minute)
	w.expect(len(w.Servers("")) == 0, "no server is left: %v", IDs(w.Servers("")))
}

// deleteUnread: servers that may be in a pool are not ended, and whoever deleted the Release learns which pool that is, what AWS
// says of it and what to do.
func deleteUnread(w *World) {
	w.Live(terminating)
	waits := func(reason, aws string) {
		says := told(reason, aws, "set spec.deletionPolicy to Retain", "the deletion waits, because pool api cannot be read")
		w.Until("it says why it waits: "+reason, func() bool { return w.tells(says) && w.told(says.things[0], says.aws, says.advice) })
		w.while(stuck, says, func() bool { return len(w.Servers("")) == 4 })
	}
	fault := w.AWS.Inject(localaws.Fault{Service: "elbv2", Action: "DescribeTargetHealth",
		Before: &localaws.APIFault{Status: 503, Code: "ServiceUnavailable", Message: "not now"}})
	w.Delete("web")
	waits(v1alpha1.ReasonPoolUnreadable, "ServiceUnavailable")
	permit := w.AWS.Deny("elasticloadbalancing:DescribeTargetHealth")
	fault.Remove()
	waits(v1alpha1.ReasonAccessDenied, elbDenies)
	permit()
	w.Until("the object is gone", func() bool { return w.Gone("web") })
	w.expect(len(w.Servers("")) == 0, "no server is left")
}

// memberships are all members of all pools.
func (w *World) memberships() string {
	var text strings.Builder
	for _, p := range w.AWS.Pools() {
		text.WriteString(p.Name + ":")
		for _, m := range p.Members {
			if !m.Draining {
				text.WriteString(" " + m.InstanceID)
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

// deleteAll deletes "web" and expects that nothing of it is left.
func deleteAll(w *World) {
	launched := w.Launched()
	w.Delete("web")
	w.Until("the object is gone", func() bool { return w.Gone("web") })
	w.expect(len(w.Servers("")) == 0, "no server is left")
	w.Pass(5 * time.Minute)
	w.expect(w.Launched() == launched && len(w.Servers("")) == 0, "nothing comes back")
	for _, p := range w.AWS.Pools() {
		w.expect(w.Empty(p.Name), "%s is empty", p.Name)
	}
}
