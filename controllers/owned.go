package controllers

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// createOwned writes an object of the Release. Where the Release has one of that name already, it is read into there, and
// found is true. One that a former Release of this name left behind gives way: the garbage collector would remove it, but
// comes when it likes, and where no controller manager runs it never does.
func (r *ReleaseReconciler) createOwned(ctx context.Context, rel *v1alpha1.Release, object, there client.Object) (found bool, err error) {
	object.SetLabels(map[string]string{labelRelease: releaseLabel(rel.Name)})
	if err := ctrl.SetControllerReference(rel, object, r.Scheme()); err != nil {
		return false, err
	}
	if err := r.Create(ctx, object); !apierrors.IsAlreadyExists(err) {
		return false, err
	}
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(object), there); err != nil {
		return false, err
	}
	named := strings.TrimPrefix(fmt.Sprintf("%T %s/%s", object, object.GetNamespace(), object.GetName()), "*v1.")
	switch {
	case there.GetDeletionTimestamp() != nil:
		return false, fmt.Errorf("%s is being deleted; it is written again when it is gone", named)
	case metav1.IsControlledBy(there, rel):
		return true, nil
	case !leftBehind(there, rel):
		return false, fmt.Errorf("%s is somebody else's and in the way: delete it", named)
	}
	unchanged := client.Preconditions{UID: new(there.GetUID()), ResourceVersion: new(there.GetResourceVersion())}
	if err := client.IgnoreNotFound(r.Delete(ctx, there, unchanged)); err != nil {
		return false, err
	}
	return false, r.Create(ctx, object)
}

// leftBehind reports whether an object belonged to a former Release of this name: it carries the Release's label and is
// owned by that former object, or by nobody after a deletion that orphaned it.
func leftBehind(object client.Object, rel *v1alpha1.Release) bool {
	if object.GetLabels()[labelRelease] != releaseLabel(rel.Name) {
		return false
	}
	owner := metav1.GetControllerOf(object)
	return owner == nil || owner.Kind == "Release" && owner.Name == rel.Name && owner.UID != rel.UID
}
