package e2e

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	// patience is how much virtual time a world may take to get where a scenario wants it.
	patience = 40 * time.Minute
	// maxPasses bounds the passes of one wait: a hot loop fails here.
	maxPasses = 4000
	// maxErrors bounds the failed passes in a row: an error that does not go away fails here.
	maxErrors = 40
	// errorPause is when a pass that failed is tried again.
	errorPause = time.Second
)

// Until drives the world until the condition holds, and fails after 40 virtual minutes. The condition is asked after
// every pass and every event in AWS.
func (w *World) Until(what string, holds func() bool) {
	w.Helper()
	w.UntilWithin(what, patience, holds)
}

// UntilWithin is Until with its own patience, which is counted anew from the last trouble.
func (w *World) UntilWithin(what string, limit time.Duration, holds func() bool) {
	w.Helper()
	began := w.Clock.Now()
	w.wait(what, limit, func() time.Time { return w.by(began, limit) }, holds)
}

// wait drives the world until the condition holds, at most until a time that may change meanwhile.
func (w *World) wait(what string, limit time.Duration, deadline func() time.Time, holds func() bool) {
	w.Helper()
	passes := w.passes.Load()
	for !holds() {
		if !w.step(deadline()) && !w.Clock.Now().Before(deadline()) {
			w.Fatalf("%s: not after %s\n%s", what, limit, w.Story())
		}
		if w.passes.Load()-passes > maxPasses {
			w.Fatalf("%s: not after %d passes: a hot loop\n%s", what, maxPasses, w.Story())
		}
	}
}

// For drives the world for a while and checks after every step that the condition goes on holding.
func (w *World) For(d time.Duration, what string, holds func() bool) {
	w.Helper()
	for deadline := w.Clock.Now().Add(d); w.step(deadline); {
		if !holds() {
			w.Fatalf("%s: not any more\n%s", what, w.Story())
		}
	}
}

// Pass drives the world for a while.
func (w *World) Pass(d time.Duration) {
	w.Helper()
	w.For(d, "the laws", func() bool { return true })
}

// step does the next thing that is due, up to the deadline: a pass over one Release, or an event in AWS. It reports false
// when the deadline has come.
func (w *World) step(deadline time.Time) bool {
	w.Helper()
	if w.process.Load() != nil {
		return w.await(deadline)
	}
	name, at := w.next()
	event, coming := w.Clock.Next()
	switch {
	case name.Name != "" && !at.After(deadline) && (!coming || !event.Before(at)):
		w.advance(at)
		w.reconcile(name)
	case coming && !event.After(deadline):
		w.advance(event)
	default:
		w.advance(deadline)
		return false
	}
	w.checkLaws()
	return true
}

func (w *World) advance(to time.Time) {
	if d := to.Sub(w.Clock.Now()); d > 0 {
		w.Clock.Advance(d)
	}
}

// next is the Release that is due first.
func (w *World) next() (first types.NamespacedName, at time.Time) {
	for name, due := range w.due {
		if first.Name == "" || due.Before(at) || (due.Equal(at) && name.Name < first.Name) {
			first, at = name, due
		}
	}
	return first, at
}

// reconcile runs one pass and notes when the next is due.
func (w *World) reconcile(name types.NamespacedName) {
	w.Helper()
	w.passes.Add(1)
	w.indexed.forget()
	w.look(name)
	life := w.life
	if life == nil {
		life = w.Context()
	}
	result, err := w.Reconciler.Reconcile(life, ctrl.Request{NamespacedName: name})
	clear(w.known)
	w.specUntouched(name)
	switch {
	case err != nil:
		w.errors++
		w.Logf("%s pass over %s: %v", w.Clock.Now().Format(time.TimeOnly), name.Name, err)
		if w.errors > maxErrors {
			w.Fatalf("%d passes in a row failed\n%s", w.errors, w.Story())
		}
		w.due[name] = w.Clock.Now().Add(errorPause)
		return
	case result.RequeueAfter > 0:
		w.due[name] = w.Clock.Now().Add(result.RequeueAfter)
	default:
		delete(w.due, name)
	}
	w.errors = 0
}

// Edit changes a Release as a person does: read, change, update. It fails the scenario where the API server refuses.
func (w *World) Edit(name string, change func(*v1alpha1.Release)) {
	w.Helper()
	if err := w.TryEdit(name, change); err != nil {
		w.Fatalf("edit %s: %v", name, err)
	}
}

// TryEdit is Edit, and returns the API server's refusal. A manager that runs beside it may write meanwhile.
func (w *World) TryEdit(name string, change func(*v1alpha1.Release)) error {
	w.Helper()
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		rel := w.Release(name)
		change(rel)
		if err := w.Kube.Update(w.Context(), rel); err != nil {
			return err
		}
		w.touch(rel)
		return nil
	})
}

// Phase sets spec.phase and spec.phaseFor together, as the command line does.
func (w *World) Phase(name string, phase v1alpha1.Phase) {
	w.Helper()
	w.Edit(name, func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = phase, string(rel.Spec.Version) })
}

// Deploy declares another version with its phase.
func (w *World) Deploy(name, version string, phase v1alpha1.Phase) {
	w.Helper()
	w.Edit(name, func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase = v1alpha1.Version(version), phase
		rel.Spec.PhaseFor = ""
		if phase == v1alpha1.PhaseLive || phase == v1alpha1.PhaseComplete {
			rel.Spec.PhaseFor = version
		}
	})
}

// Delete deletes a Release.
func (w *World) Delete(name string) {
	w.Helper()
	rel := w.Release(name)
	if err := w.Kube.Delete(w.Context(), rel); err != nil {
		w.Fatalf("delete %s: %v", name, err)
	}
	w.touch(rel)
	after := &v1alpha1.Release{} // to be deleted is a change of its own
	if err := w.Kube.Get(w.Context(), client.ObjectKeyFromObject(rel), after); err == nil {
		w.touch(after)
	}
}

// Gone reports whether the Release does not exist any more.
func (w *World) Gone(name string) bool {
	w.Helper()
	err := w.Kube.Get(w.Context(), types.NamespacedName{Namespace: w.Namespace, Name: name}, &v1alpha1.Release{})
	return err != nil && client.IgnoreNotFound(err) == nil
}

// Release reads a Release. Between two passes nobody but the scenario writes to it, so it is read once.
func (w *World) Release(name string) *v1alpha1.Release {
	w.Helper()
	key := types.NamespacedName{Namespace: w.Namespace, Name: name}
	if rel := w.known[key]; rel != nil {
		return rel.DeepCopy()
	}
	rel := &v1alpha1.Release{}
	if err := w.Kube.Get(w.Context(), key, rel); err != nil {
		w.Fatalf("get %s: %v", name, err)
	}
	if w.passes.Load() > 0 && w.process.Load() == nil { // one that a real manager looks after is read each time
		w.known[key] = rel.DeepCopy()
	}
	return rel
}

// Story is what a person would want to see after a failure: status, events, and the end of the ledger.
func (w *World) Story() string {
	var text strings.Builder
	fmt.Fprintf(&text, "--- %s, after %d passes\n", w.Clock.Now().Format(time.TimeOnly), w.passes.Load())
	w.describeReleases(&text)
	w.describeAWS(&text)
	w.describeProcesses(&text)
	for _, e := range last(w.Events(), 25) {
		fmt.Fprintf(&text, "event %s %s of %s: %s\n", e.Type, e.Reason, e.About, e.Note)
	}
	return text.String()
}

func last[E any](list []E, n int) []E { return list[max(0, len(list)-n):] }
