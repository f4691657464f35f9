package e2e

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// observation is how long a world comes to rest before it is looked at, for how long that is done, and how many looks the controller
// takes at a Release meanwhile at least.
type observation struct {
	settles, lasts time.Duration
	looks          int
}

// tenSweeps is what virtual time has; in real time it is one. What ended by itself, such as a drain, is told of by a sweep too: what is
// believed after five minutes is in status a sweep later.
var (
	tenSweeps = observation{13 * time.Minute / 2, 11 * time.Minute, 10}
	oneSweep  = observation{70 * time.Second, 70 * time.Second, 1}
)

// Converged fails unless the controller, while it goes on looking, makes no mutation in AWS, no write to Kubernetes and no
// event for ten sweeps (law 9); in real time, for one.
func (w *World) Converged(name string) {
	w.Helper()
	w.calm()
	w.rest()
	key := types.NamespacedName{Namespace: w.Namespace, Name: name}
	looked := w.looked(key)
	w.Quiet(w.observed.lasts)
	if n := w.looked(key) - looked; n < w.observed.looks {
		w.Fatalf("law 9: %d looks in %s are too few to tell\n%s", n, w.observed.lasts, w.Story())
	}
}

// calm waits until nothing is wrong, and the controller has heard of it.
func (w *World) calm() {
	w.Helper()
	if !w.trouble.ended() {
		deadline := w.Clock.Now().Add(patience)
		w.wait("nothing is wrong any more", patience, func() time.Time { return deadline }, w.trouble.ended)
		w.rest()
	}
}

// rest lets what is under way end, in AWS too: terminated servers leave pools late. A process that begins meanwhile has as long.
func (w *World) rest() {
	w.Helper()
	began := w.Clock.Now()
	for now := began; now.Before(w.by(began, w.observed.settles)); now = w.Clock.Now() {
		w.Pass(w.by(began, w.observed.settles).Sub(now))
	}
}

// Quiet lets time pass, and fails if the controller makes a mutation, a write or an event meanwhile.
func (w *World) Quiet(d time.Duration) {
	w.Helper()
	w.calm()
	w.Mark()
	began, written, said := w.Clock.Now(), len(w.writes.since(0)), len(w.Events())
	w.Pass(d)
	if m := w.Mutations(); len(m) > 0 {
		w.Fatalf("law 9: a converged Release makes calls: %v\n%s", m, w.Story())
	}
	if list := w.writes.since(written); len(list) > 0 {
		w.Fatalf("law 9: a converged Release makes writes: %v\n%s", list, w.Story())
	}
	if list := w.news(said, began); len(list) > 0 {
		w.Fatalf("law 9: a converged Release has news: %v\n%s", list, w.Story())
	}
}

// news are the events after the first n, the last of which was there at a time. Where a process was killed a short time before that, or
// later, its successor may say once more what was said: what differs from the servers, for example.
func (w *World) news(n int, at time.Time) []Event {
	all := w.Events()
	said, again := all[:n], map[Event]bool{}
	return slices.DeleteFunc(all[n:], func(e Event) bool {
		once := w.crashedSince(at.Add(-2*w.observed.settles)) && slices.Contains(said, e) && !again[e]
		again[e] = true
		return once
	})
}

// specUntouched is law 8: the API server counts every change of a spec in metadata.generation, and there were none but ours.
func (w *World) specUntouched(key types.NamespacedName) {
	w.Helper()
	rel := &v1alpha1.Release{}
	err := w.Kube.Get(w.Context(), key, rel)
	if client.IgnoreNotFound(err) != nil {
		w.Fatalf("get %s: %v", key.Name, err)
	}
	if want, known := w.edits[key]; err == nil && known && rel.Generation != want {
		w.Fatalf("law 8: generation %d of %s, and a person's last edit made it %d\n%s", rel.Generation, key.Name, want, w.Story())
	}
	if err == nil && w.process.Load() == nil {
		w.known[key] = rel // as Release would read it
	}
}
