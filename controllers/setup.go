package controllers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// What the controller may do in Kubernetes. config/rbac/role.yaml is made from these lines.
//
// Releases are patched for their finalizer alone, and their status is updated. ControllerRevisions are the memory.
// Secrets: get, for the user data that a Release names and for our copies of it; create, because a copy is made when a
// revision is recorded, so that later edits of the source cannot change what a replacement runs; delete, for the copies of
// revisions that are forgotten. There is no list, no watch and no update: copies are immutable. Classes are read from the cache alone,
// and so without get. test/install fails for a right that nothing needs, and for one that is missing.
//
// +kubebuilder:rbac:groups=slipway.dev,resources=releases,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=slipway.dev,resources=releases/status,verbs=update
// +kubebuilder:rbac:groups=slipway.dev,resources=releases/finalizers,verbs=update
// +kubebuilder:rbac:groups=slipway.dev,resources=releaseclasses,verbs=list;watch;patch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;delete
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager starts a controller for Releases in the manager. Passes of up to concurrent Releases run at a time;
// most of a pass is waiting for AWS.
func (r *ReleaseReconciler) SetupWithManager(mgr ctrl.Manager, concurrent int) error {
	if err := mgr.Add(releaseCollector{reader: mgr.GetClient(), ours: r.LooksAfter, lackOf: r.lackOf}); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("release").
		For(&v1alpha1.Release{}, builder.WithPredicates(worthALook)).
		Watches(&v1alpha1.Release{}, urgently).
		Watches(&v1alpha1.ReleaseClass{}, handler.EnqueueRequestsFromMapFunc(r.releasesOfClass),
			builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{},
				predicate.LabelChangedPredicate{}))). // the last two: whose it is (shard.go)
		WatchesRawSource(source.Func(r.wakeByServers)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrent,
			RateLimiter:             afterFailures(),
			RecoverPanic:            new(true),
		}).
		Complete(r)
}

// wakeByServers asks for a pass over the Release of every server that a sweep shows otherwise than the one before, where none
// comes soon: those at rest are seldom looked at. So it does for one that the events queue of a class tells of, and for one whose launch was answered.
func (r *ReleaseReconciler) wakeByServers(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.soft.hear(func(of types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: of}) })
	r.Cloud.Watch(ctx, cloud.ServerWatch{
		Changed: func(server cloud.Server) {
			namespace, name, _ := splitRelease(server.Release)
			if of := (types.NamespacedName{Namespace: namespace, Name: name}); r.soft.wake(of, r.Clock().Add(soonEnough)) {
				queue.Add(reconcile.Request{NamespacedName: of})
			}
		},
		Heard: func(of string, err error) {
			log := ctrl.LoggerFrom(ctx).WithValues("queue", of)
			if err == nil {
				log.Info("The events queue tells of servers")
				return
			}
			log.Error(err, "Something is wrong with the events queue; without it, what becomes of servers at rest is seen by the next sweep, in a minute or a few")
		},
	})
	return nil
}

// afterFailures spaces the passes over an object that fail one after the other: never by more than maxPause, which alerts count on.
func afterFailures() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](failurePause/5, maxPause)
}

// CacheByObject says what the manager's cache holds of kinds that are not ours alone: of all ControllerRevisions in the
// cluster, DaemonSets' and StatefulSets' among them, those of Releases.
func CacheByObject() map[client.Object]cache.ByObject {
	ofReleases, err := labels.NewRequirement(labelRelease, selection.Exists, nil)
	if err != nil {
		panic(err) // a constant is not a label key
	}
	return map[client.Object]cache.ByObject{&appsv1.ControllerRevision{}: {Label: labels.NewSelector().Add(*ofReleases)}}
}

// worthALook lets through what asks for a pass: a new spec, deletion, an annotation (slipway.dev/retry), and a status that
// somebody wiped, because tools take an object without conditions for one that is done. Our own writes are none of these.
var worthALook = predicate.Or[client.Object](
	predicate.GenerationChangedPredicate{},
	predicate.AnnotationChangedPredicate{},
	predicate.Funcs{UpdateFunc: func(e ctrlevent.UpdateEvent) bool {
		rel, ok := e.ObjectNew.(*v1alpha1.Release)
		return ok && len(rel.Status.Conditions) == 0
	}},
)

// releasesOfClass are the Releases that a change of a class may matter to; those that name none may use it as the default.
func (r *ReleaseReconciler) releasesOfClass(ctx context.Context, class client.Object) []reconcile.Request {
	var list v1alpha1.ReleaseList
	if err := r.List(ctx, &list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the Releases of a class failed; their next passes see the change", "class", class.GetName())
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if using := list.Items[i].Spec.ClassName; using == "" || using == class.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}
