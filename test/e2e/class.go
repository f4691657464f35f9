package e2e

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// class is what becomes of Releases when their class, or what they were made from, changes.
var class = []Scenario{
	{"the class is made later than the Release", classLate},
	{"no class is the default one, then two are, then one", defaultClasses},
	{"the class is for another account than the credentials", classOfAnother},
	{"the namespace is not allowed, and is labelled", namespaceLabelled},
	{"the class goes wrong in every way while a version is Live: no call is made", classGoesWrong},
	{"the class is replaced by one for another region: no call is made, not even for a rollback", classElsewhere},
	{"the class is narrowed when a server has to be replaced: the others serve", classNarrowed},
	{"back to the stable version after its Secret was changed, with the copy", func(w *World) {
		w.Create(w.secret(scriptKey))
		w.InPreview(func(rel *v1alpha1.Release) {
			rel.Spec.Template.UserData = &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "web", Key: scriptKey}}
		})
		changed := w.secret(scriptKey)
		changed.StringData[scriptKey] += "# rotated\n"
		w.must("rotate", w.Kube.Update(w.Context(), changed))
		w.Deploy("web", "v1", v1alpha1.PhasePreview)
		w.Until("v2 is gone", func() bool { return len(w.Servers("v2")) == 0 && w.Ready("web") })
		w.expect(w.Serves("v1") && len(w.Servers("v1")) == 2, "v1 serves as before")
		w.must("delete the Secret", w.Kube.Delete(w.Context(), w.secret(scriptKey)))
		w.must("kill", w.AWS.Kill(w.Servers("v1")[0].ID))
		w.Until("the copy serves for a replacement", func() bool {
			return len(w.Servers("v1")) == 2 && w.Versions("edge")["v1"] == 2 && w.Ready("web")
		})
	}},
	{"an upgrade that adds an optional field launches nothing", func(w *World) {
		w.Live()
		launched := len(w.AWS.Instances())
		w.rewriteRevisions(func(data string) string { // as a version of Slipway wrote it that knew one field more
			return strings.Replace(data, `"template":{`, `"template":{"fromTheFuture":"",`, 1)
		})
		w.Restart()
		w.Pass(10 * time.Minute)
		w.expect(len(w.AWS.Instances()) == launched && w.Ready("web") && w.Serves("v2"), "nothing was launched")
		w.Phase("web", v1alpha1.PhaseRolledBack)
		w.Until("v1 serves", func() bool { return w.Ready("web") && w.Serves("v1") })
		w.expect(len(w.AWS.Instances()) == launched, "nothing was launched")
	}},
	{"no secret appears in events, status, tags or the objects that we write", func(w *World) {
		s := w.secret(scriptKey)
		s.StringData[scriptKey] += "# " + userDataCanary + "\n"
		w.Create(s)
		w.Live(func(rel *v1alpha1.Release) {
			rel.Spec.Template.UserData = &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "web", Key: scriptKey}}
		})
		w.expect(!w.leaks(userDataCanary), "the secret is nowhere but in Secrets and user data")
	}},
}

// rewriteRevisions replaces the data of all ControllerRevisions. The API server lets nobody edit it, so they are made anew.
func (w *World) rewriteRevisions(change func(data string) string) {
	w.Helper()
	all := w.revisions()
	for i := range all {
		r := &all[i]
		w.must("remove revision", w.Kube.Delete(w.Context(), r))
		changed := change(string(r.Data.Raw))
		w.expect(changed != string(r.Data.Raw), "the data of %s changed", r.Name)
		r.ResourceVersion, r.UID, r.Data.Raw = "", "", []byte(changed)
		w.Create(r)
	}
}

// removeClass takes the class away by force, finalizer or not.
func (w *World) removeClass() {
	w.Helper()
	object := &v1alpha1.ReleaseClass{ObjectMeta: metav1.ObjectMeta{Name: w.Class}}
	w.must("get class", w.Kube.Get(w.Context(), client.ObjectKey{Name: w.Class}, object))
	object.Finalizers = nil
	w.must("unhold class", w.Kube.Update(w.Context(), object))
	w.must("remove class", w.Kube.Delete(w.Context(), object))
	w.touch(object)
}
