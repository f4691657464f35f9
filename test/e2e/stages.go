package e2e

import (
	"context"
	"net/url"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// stages is what happens to the controller itself, and to what it wrote, at each stage of a Release's life.
var stages = []Scenario{
	{"status is wiped at each stage, and nothing changes", func(w *World) { w.lifetime(w.wipe) }},
	{"the controller is restarted at each stage, and nothing changes", func(w *World) { w.lifetime(w.Restart) }},
	{"the controller is restarted and status wiped at each stage", func(w *World) { w.lifetime(func() { w.wipe(); w.Restart() }) }},
	{"a crash between token and launch, and status is wiped", func(w *World) { crashAtLaunch(w, localaws.BeforeCall) }},
	{"a crash between launch and the note of it, and status is wiped", func(w *World) { crashAtLaunch(w, localaws.AfterCall) }},
	{"a crash before the first Register of a promotion", func(w *World) { crashInPromotion(w, localaws.BeforeCall, "RegisterTargets") }},
	{"a crash after the first Register of a promotion", func(w *World) { crashInPromotion(w, localaws.AfterCall, "RegisterTargets") }},
	{"a crash after the gate, before the first Deregister", func(w *World) { crashInPromotion(w, localaws.BeforeCall, "DeregisterTargets") }},
	{"a crash in the middle of the switch", func(w *World) { crashInPromotion(w, localaws.AfterCall, "DeregisterTargets") }},
	{"status is wiped after a failed promotion, and the verdict stands", wipedFailure},
}

// lifetime plays the life of "web" from nothing to a second version that was Live, rolled back, Live again and completed. Something
// disturbs it whenever a new stage is reached, and it still takes the calls of an undisturbed life, no more.
func (w *World) lifetime(disturb func()) {
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
	w.count("the whole life", map[string]int{
		"RunInstances": 4, "CreateTags": 3, "TerminateInstances": 2,
		registerClassic: 7, "DeregisterInstancesFromLoadBalancer": 6,
		"RegisterTargets": 4, "DeregisterTargets": 3,
	})
	w.Converged("web")
}

// disturbed drives the world until the condition holds, and disturbs it at each stage that is new and once more at the end.
func (w *World) disturbed(seen map[string]bool, disturb func(), what string, holds func() bool) {
	w.Helper()
	last := ""
	w.Until(what, func() bool {
		if stage := string(w.Release("web").Status.Stage); stage != "" && stage != last {
			seen[stage], last = true, stage
			disturb()
			return false
		}
		return holds()
	})
	disturb()
	w.Until(what+", and still is", holds)
}

// CrashAt drives the world until the controller makes a call, ends the controller's process there (before the call has any
// effect, or after its effect and before anything is noted of it) and starts a new one.
func (w *World) CrashAt(phase localaws.Phase, action string) {
	w.Helper()
	life, end := context.WithCancel(w.Context())
	defer end()
	w.life = life
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

func crashAtLaunch(w *World, when localaws.Phase) {
	w.Settled()
	w.Deploy("web", "v2", v1alpha1.PhaseLive)
	w.CrashAt(when, "RunInstances")
	var list appsv1.ControllerRevisionList
	w.must("list revisions", w.Kube.List(w.Context(), &list, client.InNamespace(w.Namespace)))
	w.expect(len(list.Items) == 2, "the revision is recorded")
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
	w.Until("the promotion failed", func() bool { return w.Stalled("web", v1alpha1.ReasonPromotionFailed) && w.Serves("v1") })
	w.Answer("v2", 200)
	w.wipe()
	w.Restart()
	w.For(15*time.Minute, "v1 serves", func() bool {
		return w.Serves("v1") && w.Registered("edge", "v2") == 0 && w.Registered("api", "v2") == 0
	})
	w.expect(w.Stalled("web", v1alpha1.ReasonPromotionFailed), "the verdict stands")
	w.expect(w.Launched() == 4, "nothing was launched")
}
