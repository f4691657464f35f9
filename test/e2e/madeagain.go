package e2e

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// remade makes scenarios of an object that is made again after Retain, v2 having been Live: its former servers are taken over
// with formerOwner, v2 never stops serving, and v1 can be rolled back to. With no phase nothing else serves; on the way to Live,
// which is through Preview, v1 may serve beside it.
func remade() []Scenario {
	all := make([]Scenario, 0, 4)
	for _, records := range []struct {
		name string
		lost bool
	}{{"", false}, {", its records gone as well", true}} {
		for _, phase := range []v1alpha1.Phase{"", v1alpha1.PhaseLive} {
			as := "with no phase"
			if phase != "" {
				as = "as " + string(phase)
			}
			all = append(all, Scenario{"an object made again after Retain, with formerOwner, " + as + records.name, func(w *World) {
				madeAgain(w, phase, records.lost)
			}})
		}
	}
	return all
}

func madeAgain(w *World, phase v1alpha1.Phase, lost bool) {
	w.Live()
	w.Steady("v2")
	uid, before := w.Release("web").UID, w.kept()
	w.Delete("web")
	w.Until("the object is gone", func() bool { return w.Gone("web") })
	if lost {
		w.collectGarbage()
	}
	w.Mark()
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) { rel.Spec.Version = "v2" }))
	w.Until("it says whose servers there are", func() bool { return w.Stalled("web", v1alpha1.ReasonFormerServersFound) })
	w.expect(w.Says("web", v1alpha1.ConditionStalled, "formerOwner: "+string(uid)), "and gives the line to add")
	w.expect(len(w.Mutations()) == 0, "nothing was done: %v", w.Mutations())
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Adopt = &v1alpha1.AdoptSource{FormerOwner: string(uid)}
		rel.Spec.Phase = phase
		if phase != "" {
			rel.Spec.PhaseFor = "v2"
		}
	})
	if phase != "" {
		w.Steady("v1", "v2")
	}
	owner := string(w.Release("web").UID)
	w.Until("they are ours", func() bool {
		owned := 0
		for _, s := range w.Servers("") {
			if s.Tags[cloud.TagOwner] == owner {
				owned++
			}
		}
		return owned == 4
	})
	w.expect(w.kept() == before, "every server keeps its revision and role:\n%s\nand before\n%s", w.kept(), before)
	w.For(10*time.Minute, "v2 serves", func() bool { return w.inBoth("v2") })
	w.expect(w.Ready("web") && w.Serves("v2"), "it is ready, and v2 serves alone")
	w.expect(w.Launched() == 4 && len(w.Servers("")) == 4, "nothing was launched and nothing ended")
	w.Converged("web")

	w.Steady("v1", "v2", "v3")
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("v1 serves again", func() bool { return w.Serves("v1") && w.Only(testPool, "v2") })
	w.expect(w.Launched() == 4, "nothing was launched for it")
	w.Deploy("web", "v3", v1alpha1.PhaseLive)
	w.Until("the next version is Live", func() bool { return w.Ready("web") && w.Serves("v3") && len(w.Servers("v2")) == 0 })
	w.expect(len(w.Servers("v1")) == 2, "v1 stands by")
}

// kept are the revision and the role of every living server.
func (w *World) kept() string {
	var text strings.Builder
	for _, s := range w.Servers("") {
		fmt.Fprintln(&text, s.ID, s.Tags[cloud.TagRevision], s.Tags[cloud.TagRole])
	}
	return text.String()
}

// collectGarbage deletes the ControllerRevisions and Secrets that a deleted Release owned. The API server leaves that to a
// controller which does not run here.
func (w *World) collectGarbage() {
	w.Helper()
	for _, kind := range []client.Object{&appsv1.ControllerRevision{}, &corev1.Secret{}} {
		w.must("collect garbage", w.Kube.DeleteAllOf(w.Context(), kind, client.InNamespace(w.Namespace), client.HasLabels{"slipway.dev/release"}))
	}
}
