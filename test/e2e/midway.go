package e2e

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// Midway brings "web" to where v1 and v2 are both in production, before the gate or, with every Deregister refused, after it.
// free lets Deregister calls pass again.
func (w *World) Midway(gated bool) (free func()) {
	w.Helper()
	if !gated {
		w.Promoting()
		return func() {}
	}
	w.InPreview()
	fault := w.AWS.Inject(localaws.Fault{Action: "Deregister*", Before: &localaws.APIFault{Status: 503, Code: "ServiceUnavailable"}})
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("the gate is passed", func() bool { return fault.Hits() > 0 })
	w.expect(w.Versions(edgePool)["v2"] == 2 && w.Versions(apiPool)["v2"] == 2, "v2 is healthy in production")
	return func() {
		w.Pass(calling) // what was on its way before somebody changed his mind is not called back
		fault.Remove()
	}
}

// calling is longer than the controller tries a call that fails.
const calling = 5 * time.Second

// inBoth reports whether two servers of a version are registered in both production pools.
func (w *World) inBoth(version string) bool {
	w.Helper()
	return w.Registered(edgePool, version) == 2 && w.Registered(apiPool, version) == 2
}

// leftProduction reports whether no server of v2 is registered in a production pool.
func (w *World) leftProduction() bool {
	w.Helper()
	return w.Registered(edgePool, "v2") == 0 && w.Registered(apiPool, "v2") == 0
}

// midway makes scenarios of what people do in the middle of a promotion: it is undone, and v1 never leaves.
func midway() []Scenario {
	all := make([]Scenario, 0, 8)
	for _, at := range []struct {
		name  string
		gated bool
	}{{"in the middle of a promotion", false}, {"after the gate of a promotion", true}} {
		for _, phase := range []v1alpha1.Phase{v1alpha1.PhasePreview, v1alpha1.PhaseLive} {
			all = append(all, Scenario{"a newer version " + at.name + ", sent to " + string(phase) + ", undoes it first", func(w *World) {
				free := w.Midway(at.gated)
				newerMidway(w, phase, free)
			}})
		}
		for _, phase := range []v1alpha1.Phase{v1alpha1.PhasePreview, v1alpha1.PhaseRolledBack} {
			all = append(all, Scenario{"the phase " + string(phase) + " " + at.name + " undoes it", func(w *World) {
				free := w.Midway(at.gated)
				w.Steady("v1", "v2")
				w.Phase("web", phase)
				free()
				w.Until("v2 is out of production", func() bool {
					w.expect(w.inBoth("v1"), "v1 never leaves")
					return w.leftProduction()
				})
				w.Steady("v1")
				w.Until("v2 is back on the test pool", func() bool { return w.Ready("web") && w.Serves("v1") && w.Only("test", "v2") })
				w.expect(w.Launched() == 4, "nothing was launched for it")
				w.Converged("web")
			}})
		}
	}
	return append(all, Scenario{"a version that was kept, and Live in between, stands by once the stable one is declared again", backAndForth})
}

// backAndForth: v1 was kept for v2, which is stable since v3 was declared. Sent to production again v1 takes the place of the candidate; once
// v2 is back, it is Live with v1 to fall back to, as before.
func backAndForth(w *World) {
	w.Live()
	w.Deploy("web", "v3", v1alpha1.PhasePreview)
	w.Until("v3 is ready in Preview", func() bool { return w.Ready("web") && w.Only(testPool, "v3") })
	w.Deploy("web", "v1", v1alpha1.PhaseLive)
	w.Until("v1 serves", func() bool { return w.Ready("web") && w.Serves("v1") })
	w.Steady("v1", "v2")
	w.Deploy("web", "v2", v1alpha1.PhaseLive)
	w.Until("v2 is Live, and v1 stands by", func() bool {
		return w.Ready("web") && w.Serves("v2") && w.Is("web", v1alpha1.ConditionRollbackAvailable) && len(w.Servers("v1")) == 2 && len(w.Servers("v3")) == 0
	})
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("v1 serves again", func() bool { return w.Ready("web") && w.Serves("v1") })
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("and v2", func() bool { return w.Ready("web") && w.Serves("v2") })
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("v1 is gone", func() bool { return w.Ready("web") && w.Serves("v2") && len(w.Servers("v1")) == 0 })
	w.Converged("web")
}

func newerMidway(w *World, phase v1alpha1.Phase, free func()) {
	w.Steady("v1", "v2")
	w.Deploy("web", "v3", phase)
	free()
	w.Until("v2 is out of production", func() bool {
		w.expect(w.inBoth("v1"), "v1 never leaves")
		return w.leftProduction()
	})
	w.Steady("v1", "v3")
	w.Until("v3 is on the test pool", func() bool {
		w.expect(w.inBoth("v1"), "v1 never leaves")
		return w.Only("test", "v3") && w.Serves("v1")
	})
	serves := map[v1alpha1.Phase]string{v1alpha1.PhasePreview: "v1", v1alpha1.PhaseLive: "v3"}[phase]
	w.Until("it is where it was sent", func() bool { return w.Ready("web") && w.Serves(serves) })
	w.Until("v2 is gone", func() bool { return len(w.Servers("v2")) == 0 })
	w.expect(len(w.Servers("v1")) == 2 && w.Launched() == 6, "v1 is kept, and two servers of each were launched")
}

// backToStable makes scenarios of a git revert to the stable version while everything is broken that a launch would need.
func backToStable() []Scenario {
	fromSSM := func(rel *v1alpha1.Release) {
		fromSecret(rel)
		rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: imageParameter}
		rel.Spec.Template.IAMInstanceProfile = "web"
	}
	rows := []struct {
		name  string
		spoil func(w *World)
	}{
		{"with SSM, launches, instance profiles and the Secret gone", func(w *World) {
			w.must("delete the Secret", w.Kube.Delete(w.Context(), w.secret(scriptKey)))
			for _, action := range []string{"ssm:*", "ec2:RunInstances", "iam:PassRole"} {
				w.AWS.Deny(action)
			}
		}},
		{"with the parameter moved and the Secret changed", func(w *World) {
			w.must("move the parameter", w.PutImage(imageParameter, w.Site.V2))
			w.changeSecret()
		}},
	}
	all := make([]Scenario, 0, 2*len(rows))
	for _, row := range rows {
		for _, from := range []struct {
			name  string
			enter func(w *World)
		}{{"Preview", func(w *World) { w.InPreview(fromSSM) }}, {"Live", func(w *World) { w.Live(fromSSM) }}} {
			all = append(all, Scenario{"back to the stable version from " + from.name + ", " + row.name, func(w *World) {
				w.AWS.SeedInstanceProfile("web")
				w.Create(w.secret(scriptKey))
				w.must("put the parameter", w.PutImage(imageParameter, w.Site.V1))
				from.enter(w)
				row.spoil(w)
				w.Mark()
				w.Steady("v1", "v2")
				w.Deploy("web", "v1", v1alpha1.PhaseLive)
				w.UntilWithin("v1 serves", time.Minute, func() bool { return w.Serves("v1") })
				w.Until("v2 is gone", func() bool { return len(w.Servers("v2")) == 0 && w.Ready("web") })
				w.expect(w.succeeded("GetParameter") == 0 && w.succeeded(runInstances) == 0, "nothing was looked up or launched")
				w.expect(len(w.Servers("v1")) == 2 && w.Serves("v1"), "v1 serves as before")
				w.Converged("web")
			}})
		}
	}
	return all
}

// changeSecret changes the user data in the Secret of "web".
func (w *World) changeSecret() {
	w.Helper()
	changed := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace}}
	changed.StringData = map[string]string{scriptKey: Script("").Inline + "# rotated\n"}
	w.must("change the Secret", w.Kube.Update(w.Context(), changed))
}

// succeeded counts the controller's calls of an action since Mark that AWS answered without an error.
func (w *World) succeeded(action string) int {
	n := 0
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call != nil && e.Call.Action == action && e.Call.Who.AccessKey != personKey && e.Call.Code == "" {
			n++
		}
	}
	return n
}
