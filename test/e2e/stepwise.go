package e2e

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Let lets time pass in AWS, without a pass over any Release.
func (w *World) Let(d time.Duration) {
	w.Helper()
	w.advance(w.Clock.Now().Add(d))
	w.checkLaws()
}

// Look makes one pass over a Release now.
func (w *World) Look(name string) {
	w.Helper()
	w.reconcile(types.NamespacedName{Namespace: w.Namespace, Name: name})
	w.checkLaws()
}
