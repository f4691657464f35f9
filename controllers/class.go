package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

const (
	// annotationPlace on every ControllerRevision holds the class, account and region that the Release began in.
	annotationPlace = "slipway.dev/class"

	// maxTagValue is what an EC2 tag holds; namespace/name has to fit into one.
	maxTagValue = 256

	// trustAccountFor is how long a confirmed account is believed while STS does not answer: an outage of STS must not
	// hold up a rollback. Credentials for another account could only come with another class.
	trustAccountFor = time.Hour
)

// place is where a Release runs. The first one it had is kept; a difference later stops every call.
type place struct {
	Class     string `json:"class"`
	AccountID string `json:"accountID"`
	Region    string `json:"region"`
}

// readPlace gives the place that a ControllerRevision keeps; false where it keeps none that can be read.
func readPlace(stored *appsv1.ControllerRevision) (kept place, ok bool) {
	text := stored.Annotations[annotationPlace]
	if text == "" || json.Unmarshal([]byte(text), &kept) != nil {
		return place{}, false
	}
	return kept, true
}

// firstPlace is the place that the Release began in; the zero place before the first revision was recorded.
func firstPlace(revisions []appsv1.ControllerRevision) place {
	for i := range revisions {
		if kept, ok := readPlace(&revisions[i]); ok {
			return kept
		}
	}
	return place{}
}

// openClass finds the class of the Release and opens its account. Whatever forbids every call is put into Spec.Refused
// before any is made; only the question whose credentials these are goes out. The error is trouble with Kubernetes.
func (r *ReleaseReconciler) openClass(ctx context.Context, obs *observation) error {
	obs.refuse(nameProblem(obs.release))
	first := firstPlace(obs.revisions)
	class, problem, err := r.resolveClass(ctx, obs.release, first)
	if err != nil || problem.Some() {
		obs.refuse(problem)
		return err
	}
	if err := r.Shard.admit(class); err != nil {
		return err
	}
	obs.class = class
	obs.place = place{Class: class.Name, AccountID: class.Spec.AccountID, Region: class.Spec.Region}
	obs.input.Spec.MaxServers = int(class.Spec.MaxServersPerRelease)
	obs.refuse(placeProblem(first, obs.place))
	if !obs.input.Spec.Deleting { // what was allowed once can always be taken away again
		problem, err := r.namespaceProblem(ctx, obs.release.Namespace, class)
		if err != nil {
			return err
		}
		obs.refuse(problem)
		obs.refuse(poolsProblem(obs.release.Spec.LoadBalancers, class))
	}
	if !obs.input.Spec.Refused.Some() {
		r.openAccount(ctx, obs)
	}
	return nil
}

// nameProblem: namespace/name is a tag on every server.
func nameProblem(rel *v1alpha1.Release) rollout.Problem {
	if length := len(rel.Namespace) + 1 + len(rel.Name); length > maxTagValue {
		return rollout.Problem{Reason: v1alpha1.ReasonNameTooLong, Message: fmt.Sprintf(
			"namespace/name has %d characters and an EC2 tag holds %d: make the Release again with a shorter name", length, maxTagValue)}
	}
	return rollout.Problem{}
}

// resolveClass finds the ReleaseClass. A Release that names none takes the default one, and stays with it: another
// default later is for Releases that come later.
func (r *ReleaseReconciler) resolveClass(ctx context.Context, rel *v1alpha1.Release, first place) (*v1alpha1.ReleaseClass, rollout.Problem, error) {
	name := rel.Spec.ClassName
	if name == "" {
		name = first.Class
	}
	if name == "" {
		return r.defaultClass(ctx)
	}
	var class v1alpha1.ReleaseClass
	err := r.Get(ctx, types.NamespacedName{Name: name}, &class)
	switch {
	case apierrors.IsNotFound(err):
		return nil, rollout.Problem{Reason: rollout.ReasonClassNotFound, Message: fmt.Sprintf(
			"ReleaseClass %s does not exist: whoever runs the cluster has to make it (again)%s", name, inPlace(first))}, nil
	case err != nil:
		return nil, rollout.Problem{}, fmt.Errorf("get ReleaseClass %s: %w", name, err)
	case class.DeletionTimestamp != nil && first == place{}:
		return nil, rollout.Problem{Reason: rollout.ReasonClassNotFound, Message: fmt.Sprintf(
			"ReleaseClass %s is being deleted and takes no new Releases: make this Release with another className", name)}, nil
	}
	return &class, rollout.Problem{}, nil
}

// inPlace says where the servers are, for a class that has to be made again.
func inPlace(first place) string {
	if first == (place{}) {
		return ", or the Release has to be made with another className"
	}
	return fmt.Sprintf(", with accountID %q and region %s, where this Release's servers are; to delete the Release "+
		"without it, set spec.deletionPolicy to Retain", first.AccountID, first.Region)
}

// defaultClass finds the one class that is annotated as the default.
func (r *ReleaseReconciler) defaultClass(ctx context.Context) (*v1alpha1.ReleaseClass, rollout.Problem, error) {
	var list v1alpha1.ReleaseClassList
	if err := r.List(ctx, &list); err != nil {
		return nil, rollout.Problem{}, fmt.Errorf("list ReleaseClasses: %w", err)
	}
	defaults := slices.DeleteFunc(list.Items, func(class v1alpha1.ReleaseClass) bool {
		return !class.IsDefault() || class.DeletionTimestamp != nil
	})
	switch len(defaults) {
	case 0:
		return nil, rollout.Problem{Reason: v1alpha1.ReasonNoDefaultClass, Message: fmt.Sprintf(
			"spec.className is not set and no ReleaseClass is annotated %s=true: annotate one", v1alpha1.AnnotationDefaultClass)}, nil
	case 1:
		return &defaults[0], rollout.Problem{}, nil
	}
	var names []string
	for _, class := range defaults {
		names = append(names, class.Name)
	}
	slices.Sort(names)
	return nil, rollout.Problem{Reason: v1alpha1.ReasonManyDefaultClasses, Message: fmt.Sprintf(
		"spec.className is not set and %d ReleaseClasses are annotated %s=true: %s; leave the annotation on one of them",
		len(names), v1alpha1.AnnotationDefaultClass, strings.Join(names, ", "))}, nil
}

// placeProblem compares where the Release runs with where it began.
func placeProblem(first, now place) rollout.Problem {
	if first == (place{}) || first == now {
		return rollout.Problem{}
	}
	return rollout.Problem{Reason: rollout.ReasonClassChanged, Message: fmt.Sprintf(
		"this Release began in ReleaseClass %s (account %s, %s) and would now run in %s (account %s, %s), where its servers are not: "+
			"put the class back as it was, or make another Release for the new place",
		first.Class, first.AccountID, first.Region, now.Class, now.AccountID, now.Region)}
}

// namespaceProblem asks whether the class takes Releases of the namespace.
func (r *ReleaseReconciler) namespaceProblem(ctx context.Context, name string, class *v1alpha1.ReleaseClass) (rollout.Problem, error) {
	refused := rollout.Problem{Reason: rollout.ReasonNotAllowedByClass, Message: fmt.Sprintf(
		"ReleaseClass %s does not take Releases of namespace %s: its allowedNamespaces do not select it; "+
			"label the namespace, or have the class changed", class.Name, name)}
	selector, err := metav1.LabelSelectorAsSelector(class.Spec.AllowedNamespaces.LabelSelector())
	if err != nil {
		refused.Message = fmt.Sprintf("spec.allowedNamespaces of ReleaseClass %s is no selector (%v): have the class mended", class.Name, err)
		return refused, nil
	}
	if selector.Empty() && class.Spec.AllowedNamespaces != nil {
		return rollout.Problem{}, nil
	}
	var namespace corev1.Namespace
	if err := r.Get(ctx, types.NamespacedName{Name: name}, &namespace); err != nil {
		return rollout.Problem{}, fmt.Errorf("get namespace %s: %w", name, err)
	}
	if selector.Matches(labels.Set(namespace.Labels)) {
		return rollout.Problem{}, nil
	}
	return refused, nil
}

// openAccount opens the class's account and makes sure that the credentials belong to it.
func (r *ReleaseReconciler) openAccount(ctx context.Context, obs *observation) {
	class := cloud.Class{
		Name: obs.class.Name, Region: obs.class.Spec.Region, AccountID: obs.class.Spec.AccountID,
		RoleARN: obs.class.Spec.RoleARN, ExternalID: obs.class.Spec.ExternalID, Cluster: r.Cluster,
	}
	account, err := r.Cloud.Open(class)
	if err != nil {
		obs.refuse(problemOf(fmt.Errorf("ReleaseClass %s cannot be used: %w", class.Name, err), rollout.ReasonAccessDenied))
		return
	}
	obs.account = account
	obs.refuse(r.confirmAccount(ctx, account.Identity, class))
	if account.Hear != nil && !obs.input.Spec.Refused.Some() {
		account.Hear(class.Name, obs.class.Spec.EventsQueue)
	}
}

// accountMemory is when the account of each class was last confirmed. The zero value is ready for use.
type accountMemory struct {
	mu        sync.Mutex
	confirmed map[cloud.Class]time.Time
}

// confirm notes that the account was found to be the right one.
func (m *accountMemory) confirm(class cloud.Class, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.confirmed == nil {
		m.confirmed = map[cloud.Class]time.Time{}
	}
	m.confirmed[class] = at
}

// trusts reports whether the account was confirmed not long ago.
func (m *accountMemory) trusts(class cloud.Class, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.confirmed[class]
	return ok && now.Sub(at) < trustAccountFor
}

// confirmAccount asks whose account the credentials are for.
func (r *ReleaseReconciler) confirmAccount(ctx context.Context, identity cloud.Identity, class cloud.Class) rollout.Problem {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	id, err := identity.AccountID(ctx)
	switch {
	case err == nil && id == class.AccountID:
		r.accounts.confirm(class, r.Clock())
		return rollout.Problem{}
	case err == nil:
		return rollout.Problem{Reason: rollout.ReasonWrongAccount, Message: fmt.Sprintf(
			"ReleaseClass %s is for account %s, but the credentials belong to account %s: mend its roleARN or the controller's credentials",
			class.Name, class.AccountID, id)}
	case cloud.KindOf(err) != cloud.Denied && r.accounts.trusts(class, r.Clock()):
		return rollout.Problem{}
	}
	return problemOf(fmt.Errorf("AWS does not say which account ReleaseClass %s leads to: %w", class.Name, err), v1alpha1.ReasonRetrying)
}
