package controllers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slipway.dev/slipway/api/v1alpha1"
)

// ReleaseClassReconciler keeps a ReleaseClass from being removed while a Release uses it: without its class a Release has
// neither account nor region, and nobody could roll it back.
type ReleaseClassReconciler struct {
	client.Client
	// Shard is the part of the classes that this controller looks after; nil: all of them.
	Shard *Shard
}

// SetupWithManager starts a controller for ReleaseClasses in the manager. It also sets up the index by which pool claims
// are looked up, and so is needed wherever ReleaseReconciler runs.
func (r *ReleaseClassReconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := indexRevisions(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("releaseclass").
		For(&v1alpha1.ReleaseClass{}).
		Watches(&v1alpha1.Release{}, handler.EnqueueRequestsFromMapFunc(r.classesOf), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{RateLimiter: afterFailures()}).
		Complete(r)
}

// classesOf are the classes that a Release may use: the one it names, else any.
func (r *ReleaseClassReconciler) classesOf(ctx context.Context, object client.Object) []reconcile.Request {
	rel, ok := object.(*v1alpha1.Release)
	if ok && rel.Spec.ClassName != "" {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: rel.Spec.ClassName}}}
	}
	var list v1alpha1.ReleaseClassList
	if err := r.List(ctx, &list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the classes that a Release may use failed")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// Reconcile puts the finalizer on a class that is used and takes it off one that is not.
func (r *ReleaseClassReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var class v1alpha1.ReleaseClass
	if err := r.Get(ctx, req.NamespacedName, &class); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if ours, err := r.holds(ctx, &class); err != nil || !ours {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	used, err := r.used(ctx, &class)
	if err != nil {
		return ctrl.Result{}, err
	}
	if used {
		return ctrl.Result{}, holdClass(ctx, r.Client, &class)
	}
	before := class.DeepCopy()
	if !controllerutil.RemoveFinalizer(&class, v1alpha1.FinalizerClass) {
		return ctrl.Result{}, nil
	}
	err = r.Patch(ctx, &class, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// holds reports whether the class is this controller's. It takes one that is selected and that nobody has, and lets go of one that is not
// selected any more.
func (r *ReleaseClassReconciler) holds(ctx context.Context, class *v1alpha1.ReleaseClass) (ours bool, err error) {
	if r.Shard == nil {
		return true, nil
	}
	holder := class.Annotations[v1alpha1.AnnotationController]
	wanted := r.Shard.wants(class)
	switch {
	case r.Shard.Classes == nil:
	case wanted && holder == "":
		r.Shard.take(class.Name) // no pass finds the class taken and this unknown
		if err := r.annotate(ctx, class, r.Shard.Holder); err != nil {
			return false, err
		}
		r.Shard.take(class.Name)
		ctrl.LoggerFrom(ctx).Info("Took the class; its Releases have their turn in a while", "wait", handOver)
	case !wanted && holder == r.Shard.Holder:
		if err := r.annotate(ctx, class, ""); err != nil {
			return false, err
		}
		ctrl.LoggerFrom(ctx).Info("Let go of the class, which the selector does not match any more")
	case wanted && holder != r.Shard.Holder:
		ctrl.LoggerFrom(ctx).Info("The selector matches a class that another controller has", "holder", holder)
	}
	return r.Shard.admit(class) == nil, nil
}

// annotate writes who has the class; empty for nobody.
func (r *ReleaseClassReconciler) annotate(ctx context.Context, class *v1alpha1.ReleaseClass, holder string) error {
	before := class.DeepCopy()
	if holder == "" {
		delete(class.Annotations, v1alpha1.AnnotationController)
	} else {
		metav1.SetMetaDataAnnotation(&class.ObjectMeta, v1alpha1.AnnotationController, holder)
	}
	return r.Patch(ctx, class, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// used reports whether a Release uses the class: it names it, or names none and began in it, or names none and would
// begin in it because it is the default.
func (r *ReleaseClassReconciler) used(ctx context.Context, class *v1alpha1.ReleaseClass) (bool, error) {
	var releases v1alpha1.ReleaseList
	if err := r.List(ctx, &releases); err != nil {
		return false, err
	}
	undecided := map[types.UID]bool{}
	for i := range releases.Items {
		switch rel := &releases.Items[i]; rel.Spec.ClassName {
		case class.Name:
			return true, nil
		case "":
			undecided[rel.UID] = true
		}
	}
	if len(undecided) == 0 {
		return false, nil
	}
	here, elsewhere, err := r.began(ctx, class.Name, undecided)
	takesNew := class.IsDefault() && class.DeletionTimestamp == nil
	return here || takesNew && elsewhere < len(undecided), err
}

// began tells where those of the Releases that name no class began: whether one did in this class, and how many did in
// another one.
func (r *ReleaseClassReconciler) began(ctx context.Context, class string, releases map[types.UID]bool) (here bool, elsewhere int, err error) {
	var revisions appsv1.ControllerRevisionList
	if err := r.List(ctx, &revisions, client.HasLabels{labelRelease}); err != nil {
		return false, 0, err
	}
	others := map[types.UID]bool{}
	for i := range revisions.Items {
		owner := metav1.GetControllerOf(&revisions.Items[i])
		place, ok := readPlace(&revisions.Items[i])
		switch {
		case !ok || owner == nil || !releases[owner.UID]:
		case place.Class == class:
			here = true
		default:
			others[owner.UID] = true
		}
	}
	return here, len(others), nil
}

// holdClass puts the finalizer on a class, if it is not there.
func holdClass(ctx context.Context, writer client.Client, class *v1alpha1.ReleaseClass) error {
	if controllerutil.ContainsFinalizer(class, v1alpha1.FinalizerClass) || class.DeletionTimestamp != nil {
		return nil
	}
	held := class.DeepCopy()
	controllerutil.AddFinalizer(held, v1alpha1.FinalizerClass)
	return writer.Patch(ctx, held, client.MergeFromWithOptions(class, client.MergeFromWithOptimisticLock{}))
}
