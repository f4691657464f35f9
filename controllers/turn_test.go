package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// However many passes wait: a rollback is the next, then what somebody just wished, then what goes on, and last whoever rests.
func TestUrgentPassesGoFirst(t *testing.T) {
	queue := priorityqueue.New[reconcile.Request]("test")
	defer queue.ShutDown()
	request := func(name string) reconcile.Request {
		return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: name}}
	}
	again := func(name string, stage rollout.Stage, rests rest) {
		queue.AddWithOpts(priorityqueue.AddOpts{Priority: new(turnOf(stage, rests))}, request(name))
	}
	again("rests", rollout.StageSettled, rest{generation: 1})
	again("live at rest", rollout.StageLive, rest{generation: 1})
	again("guarded", rollout.StageLive, rest{generation: 1, guarded: true})
	again("promotes", rollout.StagePromoting, rest{})
	again("launches", rollout.StagePreparing, rest{})
	queue.Add(request("edited"))
	again("goes back", rollout.StageRollingBack, rest{})
	queue.Add(request("asked to go back"))
	before, after := testRelease(), testRelease()
	before.Name, after.Name, after.Generation, after.Spec.Phase = "asked to go back", "asked to go back", 2, v1alpha1.PhaseRolledBack
	urgently.Update(t.Context(), ctrlevent.UpdateEvent{ObjectOld: before, ObjectNew: after}, queue)
	urgently.Update(t.Context(), ctrlevent.UpdateEvent{ObjectOld: after, ObjectNew: after}, queue)
	for _, want := range []string{"goes back", "asked to go back", "guarded", "edited", "promotes", "launches", "rests", "live at rest"} {
		if got, _ := queue.Get(); got != request(want) {
			t.Errorf("%s is the next, want %s", got.Name, want)
		}
	}
}

// A pass says in which turn the next one is.
func TestAPassKeepsItsTurn(t *testing.T) {
	rel := testRelease()
	rel.Spec.Paused = true // this package has nobody who acts
	h := newHarness(t, testClass(), rel)
	result, err := h.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name}})
	if err != nil {
		t.Fatal(err)
	}
	if result.RequeueAfter < time.Millisecond || result.Priority == nil || *result.Priority != turnChange {
		t.Errorf("comes again after %s, in turn %v", result.RequeueAfter, result.Priority)
	}
}

// What is urgent is known before anybody has looked at it.
func TestGoesBack(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.Release)
		want   bool
	}{
		"is on its way": {func(rel *v1alpha1.Release) { rel.Status.Stage = "RollingBack" }, true},
		"is Live":       {func(rel *v1alpha1.Release) { rel.Status.Stage = "Live" }, false},
		"has gone back": {func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Status.Stage = v1alpha1.PhaseRolledBack, "RolledBack" }, false},
		"is asked to":   {func(rel *v1alpha1.Release) { rel.Generation++; rel.Spec.Phase = v1alpha1.PhaseRolledBack }, true},
		"is asked to by an override": {func(rel *v1alpha1.Release) {
			rel.Generation++
			rel.Spec.Override = &v1alpha1.PhaseOverride{Phase: v1alpha1.PhaseRolledBack}
		}, true},
		"the stable version is declared": {func(rel *v1alpha1.Release) { rel.Generation++; rel.Spec.Version = "v0" }, true},
		"something else is edited": {func(rel *v1alpha1.Release) {
			rel.Generation++
			rel.Spec.Version, rel.Status.Candidate = "v0", nil
		}, false},
		"another version is declared": {func(rel *v1alpha1.Release) { rel.Generation++; rel.Spec.Version = "v9" }, false},
		"is asked to be Live":         {func(rel *v1alpha1.Release) { rel.Generation++; rel.Spec.Phase = v1alpha1.PhaseLive }, false},
	} {
		rel := testRelease()
		rel.Generation, rel.Status.ObservedGeneration, rel.Status.Stable = 1, 1, &v1alpha1.FleetStatus{Version: "v0"}
		rel.Status.Candidate = &v1alpha1.FleetStatus{Version: "v1"}
		test.change(rel)
		if got := goesBack(rel); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A manager that starts sees first to what is on its way.
func TestFirstTurns(t *testing.T) {
	queue := priorityqueue.New[reconcile.Request]("test")
	defer queue.ShutDown()
	for _, name := range []string{"Settled", "Promoting", "Live", "RollingBack"} {
		rel := testRelease()
		rel.Name, rel.Generation, rel.Status.ObservedGeneration, rel.Status.Stage = name, 1, 1, v1alpha1.Stage(name)
		rel.Spec.Promotion.AutoRollback = name == "Live"
		queue.AddWithOpts(priorityqueue.AddOpts{Priority: new(turnRest)}, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(rel)}) // as For does
		urgently.Create(t.Context(), ctrlevent.CreateEvent{Object: rel}, queue)
	}
	for _, want := range []string{"RollingBack", "Live", "Promoting", "Settled"} {
		if got, _ := queue.Get(); got.Name != want {
			t.Errorf("%s is the next, want %s", got.Name, want)
		}
	}
}
