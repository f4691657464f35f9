package e2e

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
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
	sickness,
	strangers,
	[]Scenario{
		{"a held server leaves the pools and lives on", heldLivesOn},
		{"a server that a load balancer leaves out of its answers is not ended while it gets requests", leftOutLivesOn},
		{"an image that ends at boot stalls after three launches, and production is untouched", diesAtBoot},
		{"a candidate that is configured for 30 s", slowConfigure},
		{"the next instance type when EC2 has no room, and another zone", noRoom},
		{"EC2 launches every server twice", launchedTwice},
	},
)

// leftOutLivesOn: that nothing is said of a server, not even where it is asked for by name, does not mean that it left.
func leftOutLivesOn(w *World) {
	w.InPreview()
	hidden, err := w.AWS.InjectText("elb:Describe* missing=" + w.Servers("v2")[0].ID)
	w.must("hide a server", err)
	w.Deploy("web", "v3", v1alpha1.PhasePreview)
	w.Until("v3 is on the test pool", func() bool { return w.Versions(testPool)["v3"] == 2 })
	w.For(5*time.Minute, "one of v2 is still there, and gets requests", func() bool { return w.Versions(testPool)["v2"] == 1 })
	hidden.Remove()
	w.Until("v2 is gone", func() bool { return len(w.Servers("v2")) == 0 && w.Only(testPool, "v3") && w.Ready("web") })
}

// launchedTwice: what came besides what was asked for leaves again, and the deploy goes its way.
func launchedTwice(w *World) {
	w.Settled()
	twice, err := w.AWS.InjectText("ec2:RunInstances twice")
	w.must("launch twice", err)
	w.Deploy("web", "v2", v1alpha1.PhaseLive)
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
	twice.Remove()
	w.expect(twice.Hits() == 2, "two servers were asked for, with %d calls", twice.Hits())
	w.Until("v2 has the two servers that were asked for", func() bool { return len(w.Servers("v2")) == 2 })
	w.expect(len(w.Servers("v1")) == 2, "v1 stands by")
	w.Converged("web")
}

func concat(groups ...[]Scenario) (all []Scenario) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// inEveryPhase makes a scenario for each fleet in each phase: something happens to one server, and after a while the fleet is
// whole again, with one launch, while production never stops answering with the versions that it is to have.
func inEveryPhase(what string, happen func(w *World, victim localaws.InstanceInfo)) []Scenario {
	var all []Scenario
	for _, m := range moments {
		for _, version := range m.fleets() {
			if m.name == rejected.name && version == m.beside {
				continue // nothing is launched for it: rejectedServers
			}
			all = append(all, Scenario{what + ", of " + version + ", " + m.name, func(w *World) {
				m.enter(w)
				w.Steady(m.steady()...)
				launched, victim := w.Launched(), w.Servers(version)[0]
				happen(w, victim)
				w.Until("the fleet is whole again without "+victim.ID, func() bool {
					return w.Whole(version, victim.ID) == 2 && m.rests(w)
				})
				w.goneUnlessHeld(victim.ID)
				w.Converged("web")
				w.expect(w.Launched() == launched+1, "one server was launched: %d", w.Launched()-launched)
				w.expect(m.rests(w), "every pool has the right servers")
				for _, v := range m.fleets() {
					w.expect(w.Whole(v, victim.ID) == 2, "two servers of %s run", v)
				}
			}})
		}
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
		Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String(cloud.TagHold), Value: aws.String("alice")}},
	})
	w.must("tag "+id, err)
}

// goneUnlessHeld: a server that was replaced is ended; one that a person holds runs, in no pool.
func (w *World) goneUnlessHeld(id string) {
	w.Helper()
	s, _ := w.AWS.Instance(id)
	if _, held := s.Tags[cloud.TagHold]; !held {
		w.Until("what was replaced is gone", func() bool { s, ok := w.AWS.Instance(id); return !ok || s.State == "terminated" })
		return
	}
	w.Until("the held server is in no pool", func() bool { return !w.IsMember(id) })
	s, _ = w.AWS.Instance(id)
	w.expect(s.State == running, "the held server runs")
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

// diesAtBoot: the image of v2 ends its servers as they boot, until somebody mends it.
func diesAtBoot(w *World) {
	w.Settled()
	image := w.AWS.SeedImage(localaws.Image{App: "crash=1s"})
	w.Steady("v1")
	w.Mark()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
		rel.Spec.Image = v1alpha1.ImageSource{ID: v1alpha1.ImageID(image)}
	})
	w.Until("it is stalled", func() bool { return w.Stalled("web", v1alpha1.ReasonLaunchFailed) })
	w.For(30*time.Minute, "v1 serves", func() bool { return w.Serves("v1") })
	places := map[string]int{}
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call != nil && e.Call.Action == runInstances {
			places[e.Call.Params.Get("SubnetId")]++
		}
	}
	w.expect(len(places) == 2 && places[w.Site.Subnets[0]] == 3 && places[w.Site.Subnets[1]] == 3 && w.Launched() == 2+6,
		"three servers were launched for each place: %v", places)
	w.expect(w.Says("web", v1alpha1.ConditionStalled, "v2", "Client.InstanceInitiatedShutdown", "slipway.dev/retry"),
		"the message has AWS's words and says what to do")
	w.expect(len(w.Servers("v2")) == 0, "no server of v2 lives")
	w.AWS.SeedImage(localaws.Image{ID: image})
	w.For(10*time.Minute, "nothing more is launched by itself", func() bool { return w.Launched() == 2+6 })
	w.Edit("web", func(rel *v1alpha1.Release) {
		metav1.SetMetaDataAnnotation(&rel.ObjectMeta, v1alpha1.AnnotationRetry, "1")
	})
	w.Steady("v1", "v2")
	w.Until("with the image mended, v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
	w.expect(w.Launched() == 2+8, "two more servers were launched")
}
