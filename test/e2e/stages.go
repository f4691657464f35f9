package e2e

import (
	"context"
	"net/url"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// stages is what happens to the controller itself, and to what it wrote, at each stage of a Release's life.
var stages = []Scenario{
	{"status is wiped at each stage, and nothing changes", func(w *World) { w.lifetime(w.wipe, 0) }},
	{"the controller is restarted at each stage, and nothing changes", func(w *World) { w.lifetime(w.Restart, 1) }},
	{"the controller is restarted and status wiped at each stage", func(w *World) { w.lifetime(func() { w.wipe(); w.Restart() }, 1) }},
	{"status is wiped at each stage of a hard life, and nothing changes", func(w *World) { w.hardLife(w.wipe) }},
	{"the controller is restarted and status wiped at each stage of a hard life", func(w *World) { w.hardLife(func() { w.wipe(); w.Restart() }) }},
	{"a crash between token and launch, and status is wiped", func(w *World) { crashAtLaunch(w, localaws.BeforeCall) }},
	{"a crash between launch and the note of it, and status is wiped", func(w *World) { crashAtLaunch(w, localaws.AfterCall) }},
	{"a crash before the first Register of a promotion", func(w *World) { crashInPromotion(w, localaws.BeforeCall, registerTargets) }},
	{"a crash after the first Register of a promotion", func(w *World) { crashInPromotion(w, localaws.AfterCall, registerTargets) }},
	{"a crash after the gate, before the first Deregister", func(w *World) { crashInPromotion(w, localaws.BeforeCall, deregisterTargets) }},
	{"a crash in the middle of the switch", func(w *World) { crashInPromotion(w, localaws.AfterCall, deregisterTargets) }},
	{"status is wiped after a failed promotion, and the verdict stands", wipedFailure},
}

// lifetime plays the life of "web" from nothing to a second version that was Live, rolled back, Live again and completed. Something
// disturbs it whenever a new stage is reached, and it still takes the calls of an undisturbed life, no more; but for one Register a
// production pool where a new process finds a rollback under way.
func (w *World) lifetime(disturb func(), again int) {
	w.Helper()
	seen := map[string]bool{}
	rests := func(production, test string) func() bool {
		return func() bool {
			return w.Ready("web") && w.Serves(production) && (test == "" && w.Empty("test") || test != "" && w.Only("test", test))
		}
	}
	w.Mark()
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, "v1" }))
	w.disturbed(seen, disturb, "v1 is complete", rests("v1", ""))
	w.Deploy("web", "v2", v1alpha1.PhasePreview)
	w.disturbed(seen, disturb, "v2 is in Preview", rests("v1", "v2"))
	w.Phase("web", v1alpha1.PhaseLive)
	w.disturbed(seen, disturb, "v2 is Live", rests("v2", ""))
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.disturbed(seen, disturb, "v1 serves", rests("v1", "v2"))
	w.Phase("web", v1alpha1.PhaseLive)
	w.disturbed(seen, disturb, "v2 is Live again", rests("v2", ""))
	w.expect(w.Is("web", v1alpha1.ConditionRollbackAvailable) && len(w.Servers("v1")) == 2, "v1 stands by")
	w.Phase("web", v1alpha1.PhaseComplete)
	w.disturbed(seen, disturb, "v2 is complete", func() bool { return rests("v2", "")() && len(w.Servers("v1")) == 0 })
	for _, stage := range []string{"Preparing", "Preview", "Promoting", "Switching", "Live", "RollingBack", "RolledBack", "Completing", "Settled"} {
		w.expect(seen[stage], "it was disturbed in %s: %v", stage, seen)
	}
	if w.troubled() { // the rollback may be over before there is a new process
		again = 0
	}
	w.countRepeated("the whole life", map[string]int{
		runInstances: 4, createTags: 3, terminateInstances: 2,
		registerClassic: 7 + again, deregisterClassic: 6,
		registerTargets: 4 + again, deregisterTargets: 3,
	})
	w.Converged("web")
}

// disturbed drives the world until the condition holds, and disturbs it at each stage that is new and once more at the end.
func (w *World) disturbed(seen map[string]bool, disturb func(), what string, holds func() bool) {
	w.Helper()
	last := ""
	w.Until(what, func() bool {
		if w.Gone("web") {
			return holds()
		}
		if stage := string(w.Release("web").Status.Stage); stage != "" && stage != last {
			seen[stage], last = true, stage
			disturb()
			return false
		}
		return holds()
	})
	if w.Gone("web") {
		return
	}
	disturb()
	w.Until(what+", and still is", holds)
}

// hardLife plays what the other life is spared: adoption, a promotion that is undone, a pause, a class that forbids, the object made
// again, and the end of it all. Something disturbs it whenever a new stage is reached, and nothing is launched for it.
func (w *World) hardLife(disturb func()) {
	w.Helper()
	seen := map[string]bool{}
	w.handMadePair()
	old := func() bool { return len(w.Members(edgePool)) == 2 && len(w.Members(apiPool)) == 2 }
	w.Create(w.NewRelease(terminating, adopting))
	shown := func() bool { return w.Is("web", v1alpha1.ConditionPreviewReady) && w.Only(testPool, "v2") && old() }
	w.disturbed(seen, disturb, "v2 is in Preview beside the adopted ones", shown)

	w.Phase("web", v1alpha1.PhaseLive)
	w.disturbed(seen, disturb, "v2 is registered in production", func() bool { return w.inBoth("v2") })
	w.Phase("web", v1alpha1.PhasePreview)
	w.disturbed(seen, disturb, "the promotion is undone", shown)

	w.Pause(true)
	w.disturbed(seen, disturb, "it is paused", func() bool { return w.Release("web").Status.Stage == "Paused" })
	w.Pause(false)
	w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Pools = []v1alpha1.Pattern{edgePool} })
	w.disturbed(seen, disturb, "the class forbids it", func() bool { return w.Stalled("web", v1alpha1.ReasonNotAllowedByClass) })
	w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Pools = []v1alpha1.Pattern{"*"} })
	w.disturbed(seen, disturb, "it is in Preview as before", shown)

	uid := w.Release("web").UID
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.DeletionPolicy = v1alpha1.DeletionRetain })
	w.Delete("web")
	w.Until("the object is gone", func() bool { return w.Gone("web") })
	w.Create(w.NewRelease(terminating, func(rel *v1alpha1.Release) { rel.Spec.Version = "v2" }))
	w.disturbed(seen, disturb, "it finds servers that are not its own", func() bool { return w.Stalled("web", v1alpha1.ReasonFormerServersFound) })
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Adopt = &v1alpha1.AdoptSource{FormerOwner: string(uid)} })
	w.disturbed(seen, disturb, "it is in Preview again", shown)
	w.expect(w.Launched() == 2, "two servers were launched, ever")

	w.Delete("web")
	w.disturbed(seen, disturb, "nothing is left", func() bool { return w.Gone("web") && len(w.Servers("")) == 0 })
	for _, stage := range []string{"Adopting", "Preview", "Promoting", "RollingBack", "Paused", "Refused", "Estranged", "Deleting"} {
		w.expect(seen[stage], "it was disturbed in %s: %v", stage, seen)
	}
}

// CrashAt drives the world until the controller makes a call, ends the controller's process there (before the call has any
// effect, or after its effect and before anything is noted of it) and starts a new one.
func (w *World) CrashAt(phase localaws.Phase, action string) {
	w.Helper()
	life, end := context.WithCancel(w.Context())
	defer end()
	w.mortal(life)
	if phase == localaws.BeforeCall {
		fault := w.AWS.Inject(localaws.Fault{Action: action, Hang: true, Match: func(url.Values) bool { end(); return true }})
		defer fault.Remove()
	} else {
		remove := w.AWS.Hook(func(p localaws.Phase, call localaws.Call, _ localaws.World) {
			if p == phase && call.Action == action && call.Who.AccessKey != personKey {
				end()
			}
		})
		defer remove()
	}
	w.Until("the controller calls "+action, func() bool { return life.Err() != nil })
	w.life = nil
	w.Restart()
}

// CrashAfterWrite drives the world until the controller has updated an object that is as given, ends its process right after
// that write and starts a new one.
func (w *World) CrashAfterWrite(what string, is func(client.Object) bool) {
	w.Helper()
	life, end := context.WithCancel(w.Context())
	defer end()
	w.mortal(life)
	remove := w.writes.then(func(object client.Object) {
		if is(object) {
			end()
		}
	})
	defer remove()
	w.Until("the controller writes "+what, func() bool { return life.Err() != nil })
	w.life = nil
	w.Restart()
}

func crashAtLaunch(w *World, when localaws.Phase) {
	w.Settled()
	w.Deploy("web", "v2", v1alpha1.PhaseLive)
	w.CrashAt(when, runInstances)
	w.expect(len(w.revisions()) == 2, "the revision is recorded")
	if when == localaws.BeforeCall {
		w.expect(w.Launched() == 2, "nothing was launched yet")
	}
	w.wipe()
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
	w.expect(w.Launched() == 4 && len(w.Servers("v2")) == 2, "nothing was launched twice")
	w.Converged("web")
}

func crashInPromotion(w *World, when localaws.Phase, action string) {
	w.InPreview()
	w.Phase("web", v1alpha1.PhaseLive)
	w.CrashAt(when, action)
	w.wipe()
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") && w.Empty("test") })
	w.expect(w.Launched() == 4 && w.Is("web", v1alpha1.ConditionRollbackAvailable), "v1 stands by")
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("v1 serves", func() bool { return w.Ready("web") && w.Serves("v1") })
}

func wipedFailure(w *World) {
	w.Promoting()
	w.Answer("v2", 500)
	undone := func() bool {
		return w.Serves("v1") && w.Registered("edge", "v2") == 0 && w.Registered("api", "v2") == 0
	}
	w.Until("the promotion failed and is undone", func() bool { return w.Stalled("web", v1alpha1.ReasonPromotionFailed) && undone() })
	w.Answer("v2", 200)
	w.wipe()
	w.Restart()
	w.For(15*time.Minute, "v1 serves", undone)
	w.expect(w.Stalled("web", v1alpha1.ReasonPromotionFailed), "the verdict stands")
	w.expect(w.Launched() == 4, "nothing was launched")
}
