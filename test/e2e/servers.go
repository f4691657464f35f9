package e2e

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// servers is what happens to single servers, in every phase.
var servers = concat(
	inEveryPhase("a server dies", func(w *World, victim localaws.InstanceInfo) {
		w.must("kill", w.AWS.Kill(victim.ID))
	}),
	inEveryPhase("a server is stopped by hand", func(w *World, victim localaws.InstanceInfo) {
		_, err := w.Person().EC2.StopInstances(w.Context(), &ec2.StopInstancesInput{InstanceIds: []string{victim.ID}})
		w.must("stop", err)
	}),
	inEveryPhase("a server is tagged slipway.dev/hold", func(w *World, victim localaws.InstanceInfo) {
		w.Hold(victim.ID)
	}),
	rejectedServers(),
	takenOut(),
	[]Scenario{
		{"a held server leaves the pools and lives on", heldLivesOn},
		{"a standby that is sick at rollback", sickStandby},
		{"an image that ends at boot stalls after three launches, and production is untouched", diesAtBoot},
		{"strangers in the same load balancers are not touched", strangers},
		{"auto-rollback when the live candidate falls sick", autoRollback},
		{"no auto-rollback when both fleets are sick", bothSick},
		{"Complete is refused while the candidate is sick", completeRefused},
		{"a candidate that is configured for 30 s", slowConfigure},
		{"the next instance type when EC2 has no room, and another zone", noRoom},
	},
)

func concat(groups ...[]Scenario) (all []Scenario) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// inEveryPhase makes a scenario for each phase: something happens to one server of the candidate (and where there is none,
// of stable), and after a while the fleet is whole again and the same version serves all the time.
func inEveryPhase(what string, happen func(w *World, victim localaws.InstanceInfo)) []Scenario {
	phases := []struct {
		moment
		victims string
	}{{preview, "v2"}, {promoting, "v2"}, {live, "v2"}, {live, "v1"}, {rejected, "v1"}, {complete, "v1"}}
	all := make([]Scenario, 0, len(phases))
	for _, p := range phases {
		all = append(all, Scenario{what + ", of " + p.victims + ", " + p.name, func(w *World) {
			p.enter(w)
			victim := w.Servers(p.victims)[0]
			happen(w, victim)
			w.Until("the fleet is whole again without "+victim.ID, func() bool {
				whole := w.Whole(p.victims, victim.ID) == 2
				return whole && w.Ready("web") && w.Serves(p.serves)
			})
			w.untouchedIfHeld(victim.ID)
			w.Converged("web")
		}})
	}
	return all
}

// Whole counts the running servers of a version other than one.
func (w *World) Whole(version, without string) int {
	n := 0
	for _, s := range w.Servers(version) {
		if s.ID != without && s.State == running {
			n++
		}
	}
	return n
}

// Hold tags a server slipway.dev/hold, as a person does who wants to look at it.
func (w *World) Hold(id string) {
	w.Helper()
	_, err := w.Person().EC2.CreateTags(w.Context(), &ec2.CreateTagsInput{
		Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String("slipway.dev/hold"), Value: aws.String("alice")}},
	})
	w.must("tag "+id, err)
}

// untouchedIfHeld: a server that a person holds runs, in no pool.
func (w *World) untouchedIfHeld(id string) {
	w.Helper()
	s, _ := w.AWS.Instance(id)
	if _, held := s.Tags["slipway.dev/hold"]; held {
		w.Until("the held server is in no pool", func() bool { return !w.IsMember(id) })
		s, _ = w.AWS.Instance(id)
		w.expect(s.State == running, "the held server runs")
	}
}

func heldLivesOn(w *World) {
	w.Live()
	victim := w.Servers("v2")[0].ID
	w.Hold(victim)
	w.Until("it is replaced and out of every pool", func() bool { return w.Whole("v2", victim) == 2 && !w.IsMember(victim) })
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("v1 is gone", func() bool { return len(w.Servers("v1")) == 0 })
	w.Pass(10 * time.Minute)
	s, _ := w.AWS.Instance(victim)
	w.expect(s.State == running, "the held server still runs")
}

// IsMember reports whether a server is in any pool, draining or not.
func (w *World) IsMember(id string) bool {
	for _, p := range w.AWS.Pools() {
		for _, m := range p.Members {
			if m.InstanceID == id {
				return true
			}
		}
	}
	return false
}

func sickStandby(w *World) {
	w.Live()
	w.must("make one sick", w.AWS.SetAppStatus(w.Servers("v1")[0].ID, 500))
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("the healthy one carries the rollback", 4*time.Minute, func() bool { return w.From("edge", "v1", 1) && w.From("api", "v1", 1) })
	w.Until("v2 is on the test pool", func() bool { return w.Only("test", "v2") })
	w.expect(!w.Ready("web"), "one of two is not enough to be ready")
}

func diesAtBoot(w *World) {
	w.Settled()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
		rel.Spec.Template.UserData = Script("crash=1s")
	})
	w.Until("it is stalled", func() bool { return w.Stalled("web", v1alpha1.ReasonLaunchFailed) })
	launched := w.Launched()
	w.For(30*time.Minute, "v1 serves and nothing more is launched", func() bool {
		return w.Serves("v1") && w.Launched() <= launched
	})
	w.expect(w.Says("web", v1alpha1.ConditionStalled, "v2", "slipway.dev/retry"), "the message says what to do")
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.PhaseFor = "v3", "v3"
		rel.Spec.Template.UserData = Script("")
	})
	w.Until("the mended version is Live", func() bool { return w.Ready("web") && w.Serves("v3") })
}

func strangers(w *World) {
	stranger := w.Stranger("edge", "test")
	w.Live()
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("v2 is complete", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 0 })
	for _, pool := range []string{edgePool, testPool} {
		found := false
		for _, m := range w.Members(pool) {
			found = found || m.InstanceID == stranger
		}
		w.expect(found, "the stranger is still in %s", pool)
	}
	s, _ := w.AWS.Instance(stranger)
	w.expect(s.State == running && len(s.Tags) == 0, "nobody touched the stranger")
}

// Stranger launches a server that is not ours and registers it with classic load balancers.
func (w *World) Stranger(balancers ...string) string {
	w.Helper()
	p := w.Person()
	run, err := p.EC2.RunInstances(w.Context(), &ec2.RunInstancesInput{ImageId: &w.Site.V1, InstanceType: microType,
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &w.Site.Subnets[0]})
	w.must("launch a stranger", err)
	id := *run.Instances[0].InstanceId
	w.Pass(Boot + Configure)
	for _, name := range balancers {
		_, err := p.ELB.RegisterInstancesWithLoadBalancer(w.Context(), &elb.RegisterInstancesWithLoadBalancerInput{
			LoadBalancerName: &name, Instances: []elbtypes.Instance{{InstanceId: &id}},
		})
		w.must("register the stranger", err)
	}
	return id
}

func autoRollback(w *World) {
	w.Live(func(rel *v1alpha1.Release) { rel.Spec.Promotion.AutoRollback = true })
	w.Answer("v2", 500)
	w.UntilWithin("v1 serves", 5*time.Minute, func() bool { return w.Serves("v1") })
	w.Until("it says so", func() bool { return w.Stalled("web", v1alpha1.ReasonAutoRolledBack) })
	w.expect(w.Release("web").Spec.Phase == v1alpha1.PhaseLive, "the spec is not written")
	w.Answer("v2", 200)
	w.For(5*time.Minute, "the verdict stands", func() bool { return w.Serves("v1") })
	w.Phase("web", v1alpha1.PhasePreview) // a person clears it
	w.Until("v2 is in Preview", func() bool { return w.Ready("web") && w.Only("test", "v2") })
}

func bothSick(w *World) {
	w.Live(func(rel *v1alpha1.Release) { rel.Spec.Promotion.AutoRollback = true })
	w.Answer("v1", 500)
	w.Answer("v2", 500)
	w.For(15*time.Minute, "v2 stays in production", func() bool {
		return w.Registered("edge", "v2") == 2 && w.Registered("api", "v2") == 2
	})
}

func completeRefused(w *World) {
	w.Live()
	w.must("make one sick", w.AWS.SetAppStatus(w.Servers("v2")[0].ID, 500))
	w.Pass(time.Minute)
	w.Phase("web", v1alpha1.PhaseComplete)
	w.For(20*time.Minute, "v1 is kept", func() bool { return len(w.Servers("v1")) == 2 })
	w.expect(w.Stalled("web", v1alpha1.ReasonUnhealthy), "it says why")
	w.Answer("v2", 200)
	w.Until("v2 is complete", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 0 })
}

func slowConfigure(w *World) {
	w.Settled()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
		rel.Spec.Template.UserData = Script("configure=30s")
	})
	began := w.Clock.Now()
	w.Until("v2 is Live", func() bool {
		w.expect(w.Registered("edge", "v2") == 0 || w.Clock.Now().Sub(began) > 30*time.Second, "nothing unconfigured is in production")
		return w.Ready("web") && w.Serves("v2")
	})
}

func noRoom(w *World) {
	w.AWS.SetCapacity(microType, w.AWS.Region()+"a", 0)
	w.AWS.SetCapacity(microType, w.AWS.Region()+"b", 0)
	w.AWS.SetCapacity("t3.small", w.AWS.Region()+"b", 0)
	w.Settled(func(rel *v1alpha1.Release) {
		rel.Spec.Health.LaunchTimeout = metav1.Duration{Duration: 10 * time.Minute}
	})
	for _, s := range w.Servers("v1") {
		w.expect(s.InstanceType == "t3.small" && s.AZ == w.AWS.Region()+"a", "%s is where there is room", fmt.Sprint(s.ID))
	}
}
