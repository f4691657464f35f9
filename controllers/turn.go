package controllers

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// The priorities of passes that wait for a worker, most urgent first. When AWS's request limits make passes slow, hundreds wait, and which comes
// first decides how long a rollback takes:
//
//	 10   goes back to the stable version, or was just asked to
//	  0   somebody wished something, or AWS answered or changed: what an event asks for has this by itself;
//	      and a version that is taken back by itself if it gets sick
//	-10   goes on with a change
//	-100  rests
const (
	turnRollback = 10
	turnEvent    = 0
	turnChange   = -10
	turnRest     = handler.LowPriority // as all have when the manager starts
)

// turnOf is the priority of the next pass over a Release.
func turnOf(stage rollout.Stage, rests rest) int {
	switch {
	case stage == rollout.StageRollingBack:
		return turnRollback
	case rests.guarded:
		return turnEvent
	case rests != rest{}:
		return turnRest
	default:
		return turnChange
	}
}

// goesBack reports whether a Release is on its way back to the stable version, for all that Kubernetes tells: it says so, or its newest wish has
// not been looked at and is that.
func goesBack(object client.Object) bool {
	rel, is := object.(*v1alpha1.Release)
	if !is || rel.Status.ObservedGeneration == rel.Generation {
		return is && string(rel.Status.Stage) == string(rollout.StageRollingBack)
	}
	override, stable := rel.Spec.Override, rel.Status.Stable
	redeclared := rel.Status.Candidate != nil && stable != nil && string(stable.Version) == string(rel.Spec.Version)
	return rel.Spec.Phase == v1alpha1.PhaseRolledBack || override != nil && override.Phase == v1alpha1.PhaseRolledBack ||
		redeclared
}

// firstTurn is the priority of the first pass of a manager that starts.
func firstTurn(rel *v1alpha1.Release) int {
	switch {
	case goesBack(rel):
		return turnRollback
	case rel.Spec.Promotion.AutoRollback && rel.Status.Stage == v1alpha1.Stage(rollout.StageLive):
		return turnEvent
	case rel.Status.Stage != v1alpha1.Stage(rollout.StageSettled):
		return turnChange
	default:
		return turnRest
	}
}

// urgently asks for a pass before those that were asked for earlier and are not as urgent.
var urgently = handler.Funcs{
	CreateFunc: func(_ context.Context, e ctrlevent.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		if rel, is := e.Object.(*v1alpha1.Release); is {
			addWith(queue, rel, firstTurn(rel))
		}
	},
	UpdateFunc: func(_ context.Context, e ctrlevent.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() && goesBack(e.ObjectNew) {
			addWith(queue, e.ObjectNew, turnRollback)
		}
	},
}

func addWith(queue workqueue.TypedRateLimitingInterface[reconcile.Request], object client.Object, turn int) {
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object)}
	if inTurns, are := queue.(priorityqueue.PriorityQueue[reconcile.Request]); are {
		inTurns.AddWithOpts(priorityqueue.AddOpts{Priority: &turn}, request)
		return
	}
	queue.Add(request)
}
