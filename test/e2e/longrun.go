package e2e

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// Forget drops what a world of many hours has no more use for: all but the last entries of AWS's ledger, and what the laws know
// of Releases and servers that are gone. What such a Release left behind is a breach, which is found here. Call it after Broken.
func (w *World) Forget(entries int) {
	w.Helper()
	w.must("forget", w.laws.Forget(w.Context(), entries))
	w.writes.forget()
}

func (l *writes) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
}

// CollectGarbage removes what is owned by Releases that are gone, as a cluster's garbage collector does: a control plane of the
// API server alone has none. It gives how many objects that were.
func (w *World) CollectGarbage() int {
	w.Helper()
	revisions := w.revisions()
	var secrets corev1.SecretList
	w.must("list Secrets", w.Kube.List(w.Context(), &secrets, client.InNamespace(w.Namespace)))
	owned := make([]client.Object, 0, len(revisions)+len(secrets.Items))
	for i := range revisions {
		owned = append(owned, &revisions[i])
	}
	for i := range secrets.Items {
		owned = append(owned, &secrets.Items[i])
	}
	var releases v1alpha1.ReleaseList
	w.must("list Releases", w.Kube.List(w.Context(), &releases, client.InNamespace(w.Namespace)))
	there, n := map[types.UID]bool{}, 0
	for _, rel := range releases.Items {
		there[rel.UID] = true
	}
	for _, object := range owned {
		if owner := metav1.GetControllerOf(object); owner != nil && !there[owner.UID] {
			w.must("remove "+object.GetName(), client.IgnoreNotFound(w.Kube.Delete(w.Context(), object)))
			n++
		}
	}
	return n
}
