package e2e

import (
	"strings"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

// deletion is the end of a Release, in good times and bad.
var deletion = []Scenario{
	{"deletion with Retain leaves everything as it is", func(w *World) { w.Live(); deleteRetain(w) }},
	{"deletion with Retain in the middle of a promotion", func(w *World) { w.Promoting(); deleteRetain(w) }},
	{"deletion with Retain when load balancer and subnet are gone", func(w *World) { w.Live(); breakThings(w); deleteRetain(w) }},
	{"deletion with Retain when the Secret is gone", func(w *World) {
		w.Create(w.secret(scriptKey))
		w.Live(fromSecret)
		w.must("delete the Secret", w.Kube.Delete(w.Context(), w.secret(scriptKey)))
		deleteRetain(w)
	}},
	{"deletion with Terminate leaves nothing", func(w *World) { w.Live(terminating); deleteAll(w) }},
	{"deletion with Terminate in the middle of a promotion", func(w *World) { w.Promoting(terminating); deleteAll(w) }},
	{"deletion with Terminate in RolledBack", func(w *World) { w.RolledBack(terminating); deleteAll(w) }},
	{"deletion with Terminate when load balancer and subnet are gone", func(w *World) {
		w.Live(terminating)
		breakThings(w)
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
}

func terminating(rel *v1alpha1.Release) { rel.Spec.DeletionPolicy = v1alpha1.DeletionTerminate }

func fromSecret(rel *v1alpha1.Release) {
	rel.Spec.Template.UserData = &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "web", Key: scriptKey}}
}

// breakThings removes a production load balancer and a subnet.
func breakThings(w *World) {
	w.RemoveClassic("edge")
	w.AWS.RemoveSubnet(w.Site.Subnets[0])
}

// deleteRetain deletes "web" and expects that its four servers and their memberships stay as they are.
func deleteRetain(w *World) {
	before := w.memberships()
	w.Mark()
	w.Delete("web")
	w.UntilWithin("the object is gone", time.Minute, func() bool { return w.Gone("web") })
	w.Pass(5 * time.Minute)
	w.expect(len(w.Mutations()) == 0 && len(w.Servers("")) == 4, "no call was made: %v", w.Mutations())
	w.expect(w.memberships() == before, "every membership is as it was")
	for _, s := range w.Servers("") {
		listed := false
		for _, e := range w.Events() {
			listed = listed || strings.Contains(e.Note, s.ID)
		}
		w.expect(listed, "an event lists %s, which is left", s.ID)
	}
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
	w.Delete("web")
	w.Until("the object is gone", func() bool { return w.Gone("web") })
	w.expect(len(w.Servers("")) == 0, "no server is left")
	launched := w.Launched()
	w.Pass(5 * time.Minute)
	w.expect(w.Launched() <= launched, "nothing comes back")
	for _, p := range w.AWS.Pools() {
		w.expect(w.Empty(p.Name), "%s is empty", p.Name)
	}
}
