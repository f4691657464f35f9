package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is slipway.dev/v1alpha1.
	GroupVersion = schema.GroupVersion{Group: "slipway.dev", Version: "v1alpha1"}

	// SchemeBuilder collects the functions that add this package's types to a scheme.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds Release, ReleaseClass and their lists to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

const (
	// AnnotationDefaultClass marks, with the value "true", the ReleaseClass of every Release that names none.
	AnnotationDefaultClass = "slipway.dev/is-default-class"

	// AnnotationController on a ReleaseClass names the controller that has it, where several share a cluster's classes: by the namespace
	// of its lease. Controllers write it, and take it off when their --class-selector does not match the class any more. Of one that is gone
	// for good a person takes it off: kubectl annotate releaseclass web slipway.dev/controller-
	AnnotationController = "slipway.dev/controller"

	// AnnotationRetry on a Release, given any new value, clears verdicts and stops waiting after failed launches:
	// kubectl annotate rel/web slipway.dev/retry="$(date +%s)" --overwrite
	AnnotationRetry = "slipway.dev/retry"

	// AnnotationAskedBy on a Release names the user who asked for something last: changed phase, phaseFor, override, version, image or
	// template, or asked for a retry. The API server writes it where config/asked-by is installed, and lets nobody else; status.history
	// quotes it where the manager is told so (--trust-asked-by).
	AnnotationAskedBy = "slipway.dev/asked-by"

	// FinalizerRelease keeps a Release until its servers are let go (Retain) or terminated (Terminate).
	FinalizerRelease = "slipway.dev/release"

	// FinalizerClass keeps a ReleaseClass while a Release uses it.
	FinalizerClass = "slipway.dev/class-in-use"
)

// addKnownTypes registers the kinds of this package.
func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Release{}, &ReleaseList{}, &ReleaseClass{}, &ReleaseClassList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
